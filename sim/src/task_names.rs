//! Names of the tasks of a run, by which the simulator, traces and reports find tasks.

use stormproof_workloads::history::Session;

/// The task that opens the store, sets up, inspects and audits.
pub const MAIN: &str = "main";

/// How the names of clients begin.
pub const CLIENT: &str = "client-";

/// Returns the task of a client.
pub fn client(session: Session) -> String {
    format!("{CLIENT}{session}")
}

/// Returns the client whose task this is; `None` for the main task, and for tasks that a client or the engine
/// has started.
pub fn session_of(task: &str) -> Option<Session> {
    task.strip_prefix(CLIENT)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{MAIN, client, session_of};

    #[test]
    fn a_client_is_found_by_the_name_of_its_task() {
        assert_eq!(session_of(&client(17)), Some(17));
        for other in [MAIN, "client-17/0", "wal-flusher"] {
            assert_eq!(session_of(other), None, "{other}");
        }
    }
}
