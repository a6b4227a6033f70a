//! The identity of a process, which differs from that of a forked child.

/// A process of the operating system.
///
/// A forked child has the memory of its parent, but none of its threads, and shares its open files and their
/// locks: a database that was opened before the fork is the parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId(u32);

impl ProcessId {
    /// Returns the process that calls.
    #[inline]
    pub fn current() -> Self {
        Self(std::process::id())
    }

    /// Returns whether the process that calls is this one.
    #[inline]
    pub fn is_current(self) -> bool {
        self == Self::current()
    }
}
