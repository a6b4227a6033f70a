//! Random lives of a disk against a model that knows, of each byte and name, what a power cut may show there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use stormproof_env::{Disk, File, OpenMode, write_all_at};
use stormproof_faults::{CrashOdds, CrashStyle, SimDisk};

/// What a byte may be after a power cut.
type Allowed = BTreeSet<u8>;

/// A file as the contract of `Disk` sees it.
#[derive(Clone, Debug, Default)]
struct FileModel {
    now: Vec<u8>,
    /// By offset; a byte after the end is a zero.
    allowed: Vec<Allowed>,
    shortest: usize,
    longest: usize,
}

impl FileModel {
    fn settle(&mut self, now: Vec<u8>) {
        self.allowed = now.iter().map(|byte| [*byte].into()).collect();
        (self.shortest, self.longest) = (now.len(), now.len());
        self.now = now;
    }

    fn reach(&mut self, len: usize) {
        self.shortest = self.shortest.min(len);
        self.longest = self.longest.max(len);
        if self.allowed.len() < len {
            self.allowed.resize(len, [0].into());
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.now.len() && !bytes.is_empty() {
            self.set_len(end);
        }
        for (at, byte) in (offset..).zip(bytes) {
            self.now[at] = *byte;
            self.allowed[at].insert(*byte);
        }
    }

    fn set_len(&mut self, len: usize) {
        self.now.resize(len, 0);
        self.reach(len);
        // Whatever lies after the end now reads as zeros when the file grows again.
        for allowed in &mut self.allowed[len.min(self.shortest)..] {
            allowed.insert(0);
        }
        let len = self.now.len();
        for allowed in &mut self.allowed[len..] {
            allowed.insert(0);
        }
    }

    fn check(&self, found: &[u8]) -> Result<(), TestCaseError> {
        prop_assert!((self.shortest..=self.longest).contains(&found.len()), "length {}", found.len());
        for (at, byte) in found.iter().enumerate() {
            prop_assert!(self.allowed[at].contains(byte), "byte {at} is {byte}, not {:?}", self.allowed[at]);
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize, Vec<u8>),
    SetLen(usize, usize),
    Sync(usize),
    Crash(u64),
    EndProcess,
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..2_usize;
    let offset = prop_oneof![0..1500_usize, 3900..4300_usize];
    prop_oneof![
        6 => (file.clone(), offset.clone(), any::<u8>(), 0..1500_usize)
            .prop_map(|(file, offset, byte, len)| Step::Write(file, offset, vec![byte; len])),
        3 => (file.clone(), offset).prop_map(|(file, len)| Step::SetLen(file, len)),
        4 => file.prop_map(Step::Sync),
        1 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::EndProcess),
    ]
}

/// Zeros only in hollow tails, as the model would have to allow everything otherwise.
fn odds(style: usize) -> CrashOdds {
    CrashOdds { fills: [1, 0, 0], ..CrashOdds::only(CrashStyle::ALL[style]) }
}

const NAMES: [&str; 2] = ["wal-1.log", "checkpoint-1"];

fn open(disk: &SimDisk) -> Vec<Box<dyn File>> {
    let mount = disk.mount();
    NAMES.iter().map(|name| mount.open(name, OpenMode::ReadWrite).unwrap()).collect()
}

fn play(steps: &[Step], style: usize) -> Result<SimDisk, TestCaseError> {
    let disk = SimDisk::default();
    let mount = disk.mount();
    for name in NAMES {
        mount.open(name, OpenMode::CreateNew).unwrap();
    }
    mount.sync_dir().unwrap();
    let mut handles = open(&disk);
    let mut models = [FileModel::default(), FileModel::default()];
    for step in steps {
        match step {
            Step::Write(file, offset, bytes) => {
                write_all_at(&*handles[*file], *offset as u64, bytes).unwrap();
                models[*file].write(*offset, bytes);
            }
            Step::SetLen(file, len) => {
                handles[*file].set_len(*len as u64).unwrap();
                models[*file].set_len(*len);
            }
            Step::Sync(file) => {
                handles[*file].sync_data().unwrap();
                let now = models[*file].now.clone();
                models[*file].settle(now);
            }
            Step::Crash(seed) => {
                disk.crash(&odds(style), *seed);
                let mut files = disk.files();
                for (name, model) in NAMES.iter().zip(&mut models) {
                    let found = files.remove(*name).expect("its name is durable");
                    model.check(&found)?;
                    model.settle(found);
                }
                handles = open(&disk);
            }
            Step::EndProcess => {
                disk.end_process();
                handles = open(&disk);
            }
        }
        let files = disk.files();
        for (name, model) in NAMES.iter().zip(&models) {
            prop_assert_eq!(&files[*name], &model.now);
        }
    }
    Ok(disk)
}

/// Which content a name may have after a power cut; `None` for no file.
type Names = BTreeMap<usize, BTreeSet<Option<u8>>>;

#[derive(Clone, Debug)]
enum NameStep {
    Create(usize),
    Rename(usize, usize),
    Remove(usize),
    SyncDir,
    Crash(u64),
}

fn name_step() -> impl Strategy<Value = NameStep> {
    let name = 0..4_usize;
    prop_oneof![
        4 => name.clone().prop_map(NameStep::Create),
        3 => (name.clone(), name.clone()).prop_map(|(from, to)| NameStep::Rename(from, to)),
        2 => name.prop_map(NameStep::Remove),
        1 => Just(NameStep::SyncDir),
        1 => any::<u64>().prop_map(NameStep::Crash),
    ]
}

fn create_synced(mount: &Arc<dyn Disk>, name: &str, content: u8) -> bool {
    let Ok(file) = mount.open(name, OpenMode::CreateNew) else { return false };
    file.write_at(0, &[content]).unwrap();
    file.sync_all().unwrap();
    true
}

fn play_names(steps: &[NameStep], style: usize) -> Result<(), TestCaseError> {
    let disk = SimDisk::default();
    let mut mount = disk.mount();
    let name = |name: usize| format!("file-{name}");
    let mut now: BTreeMap<usize, u8> = BTreeMap::new();
    let mut allowed: Names = (0..4).map(|name| (name, [None].into())).collect();
    for (content, step) in (0_u8..).zip(steps) {
        match step {
            NameStep::Create(at) => {
                let created = create_synced(&mount, &name(*at), content);
                prop_assert_eq!(created, !now.contains_key(at));
                now.entry(*at).or_insert(content);
            }
            NameStep::Rename(from, to) => {
                let renamed = mount.rename(&name(*from), &name(*to)).is_ok();
                prop_assert_eq!(renamed, now.contains_key(from));
                if let Some(content) = now.remove(from) {
                    now.insert(*to, content);
                }
            }
            NameStep::Remove(at) => {
                prop_assert_eq!(mount.remove(&name(*at)).is_ok(), now.remove(at).is_some());
            }
            NameStep::SyncDir => {
                mount.sync_dir().unwrap();
                allowed.values_mut().for_each(BTreeSet::clear);
            }
            NameStep::Crash(seed) => {
                disk.crash(&odds(style), *seed);
                mount = disk.mount();
                let files = disk.files();
                now.clear();
                for (at, allowed) in &mut allowed {
                    let found = files.get(&name(*at)).map(|bytes| bytes[0]);
                    prop_assert!(allowed.contains(&found), "{at}: {found:?}, not {allowed:?}");
                    allowed.clear();
                    now.extend(found.map(|content| (*at, content)));
                }
            }
        }
        for (at, allowed) in &mut allowed {
            allowed.insert(now.get(at).copied());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn synced_bytes_survive_and_discarded_ones_never_come_back(
        steps in prop::collection::vec(step(), 1..40),
        style in 0..CrashStyle::ALL.len(),
    ) {
        let first = play(&steps, style)?;
        let second = play(&steps, style)?;
        prop_assert_eq!(first.snapshot().digest(), second.snapshot().digest());
        prop_assert_eq!(first.crashes(), second.crashes());
        prop_assert_eq!(first.statistics(), second.statistics());
    }

    #[test]
    fn synced_names_survive_and_discarded_ones_never_come_back(
        steps in prop::collection::vec(name_step(), 1..60),
        style in 0..CrashStyle::ALL.len(),
    ) {
        play_names(&steps, style)?;
    }
}
