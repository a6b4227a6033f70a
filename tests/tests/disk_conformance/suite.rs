//! The properties, whatever the disks.

use std::io::ErrorKind;
use std::sync::Arc;

use proptest::prelude::*;
use stormproof_env::{Disk, File, OpenMode, StdDisk, read_exact_at, read_up_to_at, write_all_at};
use stormproof_faults::SimDisk;

use super::on_every_disk;

fn create(disk: &Arc<dyn Disk>, name: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = disk.open(name, OpenMode::CreateNew).unwrap();
    write_all_at(&*file, 0, bytes).unwrap();
    file
}

fn content(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    read_exact_at(file, 0, &mut bytes).unwrap();
    bytes
}

fn content_of(disk: &Arc<dyn Disk>, name: &str) -> Vec<u8> {
    content(&*disk.open(name, OpenMode::Read).unwrap())
}

#[test]
fn what_was_written_reads_back_through_any_handle() {
    on_every_disk(|disk| {
        let file = create(disk, "a", b"hello");
        assert_eq!(content(&*file), b"hello");
        let other = disk.open("a", OpenMode::Read).unwrap();
        write_all_at(&*file, 2, b"XYZW").unwrap();
        assert_eq!(content(&*other), b"heXYZW");
        drop(file);
        assert_eq!(content_of(disk, "a"), b"heXYZW");
    });
}

#[test]
fn lengths_follow_writes_and_set_len() {
    on_every_disk(|disk| {
        let file = create(disk, "a", b"");
        assert!(file.is_empty().unwrap());
        write_all_at(&*file, 10, b"x").unwrap();
        assert_eq!(file.len().unwrap(), 11);
        write_all_at(&*file, 0, b"y").unwrap();
        assert_eq!(file.len().unwrap(), 11, "writing inside does not change the length");
        file.set_len(5).unwrap();
        assert_eq!(file.len().unwrap(), 5);
        file.set_len(100_000).unwrap();
        assert_eq!(file.len().unwrap(), 100_000);
        assert!(!file.is_empty().unwrap());
    });
}

#[test]
fn an_empty_write_changes_nothing_even_behind_the_end() {
    on_every_disk(|disk| {
        let file = create(disk, "a", b"abc");
        assert_eq!(file.write_at(1000, b"").unwrap(), 0);
        assert_eq!(content(&*file), b"abc");
    });
}

#[test]
fn holes_and_extensions_are_zeros_and_cut_content_does_not_come_back() {
    on_every_disk(|disk| {
        let file = create(disk, "a", &[7; 5000]);
        write_all_at(&*file, 9000, b"x").unwrap();
        file.set_len(4000).unwrap();
        file.set_len(6000).unwrap();
        let mut expected = vec![7; 4000];
        expected.resize(6000, 0);
        assert_eq!(content(&*file), expected);
        write_all_at(&*file, 20_000, b"x").unwrap();
        expected.resize(20_000, 0);
        expected.push(b'x');
        assert_eq!(content(&*file), expected);
    });
}

#[test]
fn reads_at_and_past_the_end_give_nothing() {
    on_every_disk(|disk| {
        let file = create(disk, "a", b"abc");
        let mut buffer = [9; 10];
        assert_eq!(file.read_at(3, &mut buffer).unwrap(), 0);
        assert_eq!(file.read_at(1 << 40, &mut buffer).unwrap(), 0);
        assert_eq!(buffer, [9; 10], "the buffer is left alone");
        assert_eq!(read_up_to_at(&*file, 1, &mut buffer).unwrap(), 2);
        assert_eq!(buffer[..3], [b'b', b'c', 9]);
        assert_eq!(file.read_at(0, &mut []).unwrap(), 0);
        assert_eq!(read_exact_at(&*file, 1, &mut buffer).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn offsets_that_no_file_can_have_are_errors() {
    on_every_disk(|disk| {
        let file = create(disk, "a", b"abc");
        assert!(file.write_at(u64::MAX, b"x").is_err());
        assert!(file.write_at(u64::MAX - 1, b"xyz").is_err());
        assert!(file.write_at(i64::MAX as u64, b"x").is_err());
        assert!(file.read_at(u64::MAX, &mut [0]).is_err());
        assert!(file.set_len(u64::MAX).is_err());
        assert_eq!(content(&*file), b"abc");
    });
}

#[test]
fn open_modes_demand_what_they_say() {
    on_every_disk(|disk| {
        assert_eq!(disk.open("a", OpenMode::Read).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(disk.open("a", OpenMode::ReadWrite).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(disk.list().unwrap().is_empty(), "opening creates nothing");
        create(disk, "a", b"abc");
        assert_eq!(disk.open("a", OpenMode::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(content_of(disk, "a"), b"abc", "a refused creation truncates nothing");
        let reader = disk.open("a", OpenMode::Read).unwrap();
        assert!(reader.write_at(0, b"x").is_err());
        assert!(reader.set_len(0).is_err());
        reader.sync_data().unwrap();
        reader.sync_all().unwrap();
        assert_eq!(content(&*reader), b"abc");
        write_all_at(&*disk.open("a", OpenMode::ReadWrite).unwrap(), 0, b"x").unwrap();
        assert_eq!(content(&*reader), b"xbc");
    });
}

#[test]
fn names_that_are_no_names_are_errors() {
    on_every_disk(|disk| {
        create(disk, "a", b"abc");
        for name in ["", ".", "..", "a/b", "missing/a"] {
            assert!(disk.open(name, OpenMode::CreateNew).is_err(), "{name:?}");
            assert!(disk.open(name, OpenMode::ReadWrite).is_err(), "{name:?}");
            assert!(disk.rename("a", name).is_err(), "{name:?}");
            assert!(disk.remove(name).is_err(), "{name:?}");
        }
        assert_eq!(disk.list().unwrap(), ["a"]);
    });
}

#[test]
fn a_rename_replaces_and_handles_follow_the_file() {
    on_every_disk(|disk| {
        let a = create(disk, "a", b"from a");
        let b = create(disk, "b", b"from b");
        disk.rename("a", "b").unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        assert_eq!(content_of(disk, "b"), b"from a");
        write_all_at(&*a, 0, b"FROM").unwrap();
        assert_eq!(content_of(disk, "b"), b"FROM a");
        assert_eq!(content(&*b), b"from b", "a replaced file lives on in its handles");
        assert_eq!(disk.rename("a", "c").unwrap_err().kind(), ErrorKind::NotFound);
        disk.rename("b", "b").unwrap();
        assert_eq!(content_of(disk, "b"), b"FROM a");
    });
}

#[test]
fn a_removed_file_lives_on_in_its_handles_and_its_name_is_free() {
    on_every_disk(|disk| {
        let old = create(disk, "a", b"old");
        disk.remove("a").unwrap();
        assert_eq!(disk.remove("a").unwrap_err().kind(), ErrorKind::NotFound);
        let new = create(disk, "a", b"new one");
        disk.sync_dir().unwrap();
        old.sync_all().unwrap();
        write_all_at(&*old, 3, b"er").unwrap();
        assert_eq!(content(&*old), b"older");
        assert_eq!(content(&*new), b"new one");
    });
}

#[test]
fn the_list_is_sorted_and_complete() {
    on_every_disk(|disk| {
        for name in ["wal-10", "wal-9", "b", "a", ".hidden", "Z"] {
            create(disk, name, b"");
        }
        assert_eq!(disk.list().unwrap(), [".hidden", "Z", "a", "b", "wal-10", "wal-9"]);
    });
}

#[test]
fn a_lock_excludes_until_it_is_given_up_and_leaves_its_file() {
    on_every_disk(|disk| {
        let lock = disk.lock("lock").unwrap();
        assert_eq!(disk.lock("lock").unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(lock);
        let again = disk.lock("lock").unwrap();
        assert_eq!(disk.lock("lock").unwrap_err().kind(), ErrorKind::WouldBlock);
        again.unlock();
        let third = disk.lock("lock").unwrap();
        // What was given up once is not given up again: the lock is another's now.
        again.unlock();
        drop(again);
        assert_eq!(disk.lock("lock").unwrap_err().kind(), ErrorKind::WouldBlock);
        third.check().unwrap();
        assert_eq!(disk.list().unwrap(), ["lock"]);
    });
}

#[test]
fn a_lock_holds_and_tells_when_its_file_is_removed() {
    on_every_disk(|disk| {
        let lock = disk.lock("lock").unwrap();
        lock.check().unwrap();
        disk.remove("lock").unwrap();
        assert_eq!(disk.lock("lock").unwrap_err().kind(), ErrorKind::WouldBlock);
        let error = lock.check().unwrap_err();
        assert!(stormproof_env::displaced(&error).is_some(), "{error}");
    });
}

#[test]
fn syncs_change_nothing_that_can_be_read() {
    on_every_disk(|disk| {
        let file = create(disk, "a", &[1; 10_000]);
        file.sync_data().unwrap();
        write_all_at(&*file, 5000, &[2; 100]).unwrap();
        file.set_len(9000).unwrap();
        let before = content(&*file);
        file.sync_all().unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(content(&*file), before);
    });
}

#[test]
fn threads_read_and_write_one_file_at_once() {
    on_every_disk(|disk| {
        let file: Arc<dyn File> = create(disk, "a", &[0; 8 * 1000]).into();
        let work = |part: u8| {
            let file = Arc::clone(&file);
            move || {
                let offset = u64::from(part) * 1000;
                for round in 0..50 {
                    write_all_at(&*file, offset, &[round * 4 + part % 4; 1000]).unwrap();
                    let mut buffer = [0; 1000];
                    read_exact_at(&*file, offset, &mut buffer).unwrap();
                    assert_eq!(buffer, [round * 4 + part % 4; 1000], "no other thread writes here");
                    file.sync_data().unwrap();
                }
            }
        };
        let threads: Vec<_> =
            (0..8).map(|part| stormproof_rt::thread::spawn("worker", work(part)).unwrap()).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(file.len().unwrap(), 8000);
    });
}

/// A call, with names and handles from small sets, so that they meet.
#[derive(Clone, Debug)]
enum Call {
    Open(usize, OpenMode),
    Close(usize),
    Write(usize, u64, Vec<u8>),
    Read(usize, u64, usize),
    Len(usize),
    SetLen(usize, u64),
    Sync(usize, bool),
    Rename(usize, usize),
    Remove(usize),
    List,
    SyncDir,
    Lock(usize),
    Unlock,
}

const NAMES: [&str; 4] = ["a", "b", "c", "wal-1.log"];

fn call() -> impl Strategy<Value = Call> {
    let name = 0..NAMES.len();
    let handle = 0..6_usize;
    let offset = prop_oneof![3 => 0..200_u64, 2 => 4000..4200_u64, 1 => 0..20_000_u64];
    let bytes = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..100),
        1 => (any::<u8>(), 0..9000_usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => (0..9000_usize).prop_map(|len| vec![0; len]),
    ];
    let mode = prop_oneof![
        Just(OpenMode::Read),
        Just(OpenMode::ReadWrite),
        Just(OpenMode::ReadWrite),
        Just(OpenMode::CreateNew),
        Just(OpenMode::CreateNew)
    ];
    prop_oneof![
        4 => (name.clone(), mode).prop_map(|(name, mode)| Call::Open(name, mode)),
        1 => handle.clone().prop_map(Call::Close),
        6 => (handle.clone(), offset.clone(), bytes).prop_map(|(h, o, b)| Call::Write(h, o, b)),
        3 => (handle.clone(), offset.clone(), 0..9000_usize).prop_map(|(h, o, l)| Call::Read(h, o, l)),
        1 => handle.clone().prop_map(Call::Len),
        2 => (handle.clone(), offset).prop_map(|(h, l)| Call::SetLen(h, l)),
        1 => (handle, any::<bool>()).prop_map(|(h, all)| Call::Sync(h, all)),
        1 => (name.clone(), name.clone()).prop_map(|(from, to)| Call::Rename(from, to)),
        1 => name.clone().prop_map(Call::Remove),
        1 => Just(Call::List),
        1 => Just(Call::SyncDir),
        1 => name.prop_map(Call::Lock),
        1 => Just(Call::Unlock),
    ]
}

/// What a call answered; of errors only those kinds that callers may look at.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Bytes(Vec<u8>),
    Number(u64),
    Names(Vec<String>),
    Error(Option<ErrorKind>),
}

struct Player {
    disk: Arc<dyn Disk>,
    handles: Vec<Box<dyn File>>,
    lock: Option<Arc<dyn stormproof_env::DiskLock>>,
}

impl Player {
    fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, handles: Vec::new(), lock: None }
    }

    fn play(&mut self, call: &Call) -> Answer {
        self.answer(call).unwrap_or_else(|error| {
            let kind = error.kind();
            let known =
                matches!(kind, ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::WouldBlock);
            Answer::Error(known.then_some(kind))
        })
    }

    fn answer(&mut self, call: &Call) -> std::io::Result<Answer> {
        let file = |handle: usize| {
            (!self.handles.is_empty())
                .then(|| &self.handles[handle % self.handles.len()])
                .ok_or(ErrorKind::NotFound)
        };
        Ok(match call {
            Call::Open(name, mode) => {
                let file = self.disk.open(NAMES[*name], *mode)?;
                self.handles.push(file);
                Answer::Done
            }
            Call::Close(handle) => {
                file(*handle)?;
                let handle = handle % self.handles.len();
                self.handles.swap_remove(handle);
                Answer::Done
            }
            Call::Write(handle, offset, bytes) => {
                Answer::Number(file(*handle)?.write_at(*offset, bytes)? as u64)
            }
            Call::Read(handle, offset, len) => {
                let mut buffer = vec![0; *len];
                let read = file(*handle)?.read_at(*offset, &mut buffer)?;
                buffer.truncate(read);
                Answer::Bytes(buffer)
            }
            Call::Len(handle) => Answer::Number(file(*handle)?.len()?),
            Call::SetLen(handle, len) => {
                file(*handle)?.set_len(*len)?;
                Answer::Done
            }
            Call::Sync(handle, all) => {
                let file = file(*handle)?;
                if *all {
                    file.sync_all()?
                } else {
                    file.sync_data()?
                }
                Answer::Done
            }
            Call::Rename(from, to) => {
                self.disk.rename(NAMES[*from], NAMES[*to])?;
                Answer::Done
            }
            Call::Remove(name) => {
                self.disk.remove(NAMES[*name])?;
                Answer::Done
            }
            Call::List => Answer::Names(self.disk.list()?),
            Call::SyncDir => {
                self.disk.sync_dir()?;
                Answer::Done
            }
            Call::Lock(name) => {
                // One that is held stays so: a refused lock must not free it.
                let lock = self.disk.lock(NAMES[*name])?;
                self.lock = Some(lock);
                Answer::Done
            }
            Call::Unlock => {
                self.lock = None;
                Answer::Done
            }
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_simulated_disk_answers_as_a_real_one(calls in prop::collection::vec(call(), 1..120)) {
        let dir = tempfile::tempdir().unwrap();
        let real: Arc<dyn Disk> = Arc::new(StdDisk::open(dir.path()).unwrap());
        let simulated = SimDisk::default();
        let mut real = Player::new(real);
        let mut mounted = Player::new(simulated.mount());
        for (at, call) in calls.iter().enumerate() {
            prop_assert_eq!(mounted.play(call), real.play(call), "call {}: {:?}", at, call);
        }
        let names = simulated.files();
        for (name, bytes) in names {
            prop_assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), bytes);
        }
    }
}
