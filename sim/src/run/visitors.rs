//! What others do at the path of a store: a second opener, and foreign files (contract A1, A2).

use std::time::Duration;

use stormproof_env::{Disk, OpenMode, read_up_to_at, write_all_at};
use stormproof_rt::sync::Arc;
use stormproof_rt_shuttle::thread::JoinHandle;
use stormproof_rt_shuttle::{thread, time};

use super::world::SimWorld;
use crate::plan::{LifePlan, Plan, Storage};

/// Names that a careless listing takes for files of a database, or for leftovers of one.
const NAMES: [&str; 5] = ["notes.txt", "LOCK.bak", "MANIFEST.old", "wal", "checkpoint-of-mine"];

const CONTENT: &[u8] = b"nothing of a database";

/// Creates files at the path of the store, durably. What the disk refuses is left out.
pub(super) fn leave_files(world: &SimWorld) {
    let disk = world.disk.mount();
    let left = NAMES.iter().filter(|name| leave(&*disk, name).is_ok());
    let left: Vec<_> = left.copied().collect();
    if disk.sync_dir().is_ok() && !world.hook.disturbed() {
        world.note(|now| now.visitors.files = left);
    }
}

fn leave(disk: &dyn Disk, name: &str) -> std::io::Result<()> {
    let file = disk.open(name, OpenMode::CreateNew)?;
    write_all_at(&*file, 0, CONTENT)?;
    file.sync_all()
}

/// Notes which of these files are not there any more, or not as they were.
pub(super) fn check_files(world: &SimWorld) {
    let left = world.note(|now| now.visitors.files.clone());
    let disk = world.disk.mount();
    for name in left {
        let mut content = vec![0; CONTENT.len() + 1];
        let read = disk.open(name, OpenMode::Read).and_then(|file| read_up_to_at(&*file, 0, &mut content));
        let is_as_it_was = read.as_ref().is_ok_and(|read| content[..*read] == *CONTENT);
        if !is_as_it_was && !world.hook.disturbed() {
            let message = format!("{name}, which is no file of the store, is not as it was: {read:?}");
            world.note(|now| now.visitors.trouble = Some(message));
        }
    }
}

/// Starts a task that opens the store once more while it is open.
pub(super) fn start_second_opener(
    world: &Arc<SimWorld>,
    plan: &Arc<Plan>,
    life_plan: &LifePlan,
) -> Option<JoinHandle<()>> {
    let pause = Duration::from_micros(life_plan.second_opener_micros?);
    if plan.engine.storage == Storage::Memory {
        return None;
    }
    let (world, plan) = (Arc::clone(world), Arc::clone(plan));
    let body = move || {
        time::sleep(pause);
        if super::life::builder(&world, &plan.engine, &world.disk).open().is_ok() {
            let message = "a second opener was let in while the store was open".to_owned();
            world.note(|now| now.visitors.trouble = Some(message));
        }
        world.note(|now| now.visitors.openers += 1);
    };
    thread::spawn("second opener", body).ok()
}
