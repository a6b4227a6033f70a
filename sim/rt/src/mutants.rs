//! The zoo's table: deliberate bugs of the engine that a simulation can switch on, one at a time or several.
//!
//! To add one, append a row here and ask `rt::mutant!(Name)` at the place where the engine would go wrong. In
//! production the macro is the constant `false`, so neither the branch nor the name is in the binary.

mod set;

use std::fmt;
use std::str::FromStr;

pub use set::MutantSet;

use crate::life;

macro_rules! mutants {
    ($($name:ident { breaks: $breaks:literal, bug: $bug:literal, contract: $contract:literal })*) => {
        /// A deliberate bug of the engine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Mutant {
            $(#[doc = $breaks] $name,)*
        }

        impl Mutant {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns whether it breaks anything. One that does not stands for an innocent change of the
            /// code.
            pub const fn is_bug(self) -> bool {
                !self.contract().is_empty()
            }

            /// Returns its name, as in [`mutant!`](crate::mutant).
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// Returns what it does wrong.
            pub const fn breaks(self) -> &'static str {
                match self { $(Self::$name => $breaks),* }
            }

            /// Returns the kind of real bug on which it is modelled.
            pub const fn modelled_on(self) -> &'static str {
                match self { $(Self::$name => $bug),* }
            }

            /// Returns the row of the contract that it breaks.
            pub const fn contract(self) -> &'static str {
                match self { $(Self::$name => $contract),* }
            }
        }
    };
}

mutants! {
    PublishBeforeInstall {
        breaks: "publishes a commit's version before its writes are in the index",
        bug: "version published before all writes installed",
        contract: "V1"
    }
    AckBeforeSync {
        breaks: "acknowledges a commit before its log record is synced",
        bug: "follower acked on the leader's write, or on an earlier batch's sync",
        contract: "D1"
    }
    LosersOfFailedGroup {
        breaks: "reports conflicts with members of a group that failed and was taken back",
        bug: "failed append reported, and its effects stay",
        contract: "WriteConflict"
    }
    SkipReadValidation {
        breaks: "commits although a key that was read has changed since the snapshot",
        bug: "keys missing from the read set",
        contract: "ReadConflict"
    }
    SkipWriteValidation {
        breaks: "commits although a key to be written has changed since the snapshot",
        bug: "validation outside the commit lock: two winners, lost updates",
        contract: "WriteConflict"
    }
    SkipCasValidation {
        breaks: "commits a conditional write whose condition no longer holds",
        bug: "read and CAS in separate transactions",
        contract: "CasConflict"
    }
    SkipRangeValidation {
        breaks: "commits although a scanned range has gained, lost or changed a key",
        bug: "scanned keys missing from the read set",
        contract: "RangeConflict"
    }
    DeleteNotValidated {
        breaks: "commits a delete although the key has changed since the snapshot",
        bug: "own-deleted keys missing from validation",
        contract: "WriteConflict"
    }
    MissingKeyNotTracked {
        breaks: "does not remember reads of keys that never existed",
        bug: "missing keys missing from the read set",
        contract: "ReadConflict"
    }
    TombstoneNotTracked {
        breaks: "does not remember reads of deleted keys",
        bug: "missing keys missing from the read set",
        contract: "ReadConflict"
    }
    ScanNotTracked {
        breaks: "does not remember scanned ranges",
        bug: "scanned keys missing from the read set",
        contract: "RangeConflict"
    }
    EmptyScanNotTracked {
        breaks: "does not remember scans that found nothing",
        bug: "a range that was empty missing from the read set",
        contract: "RangeConflict"
    }
    LimitedScanForgetsLast {
        breaks: "leaves the last key of a limited scan out of what it remembers",
        bug: "a bound off by one in the read set",
        contract: "RangeConflict"
    }
    UnfinishedIterationNotTracked {
        breaks: "forgets what was iterated when the iterator is dropped before its end",
        bug: "a scan recorded when its iterator is exhausted",
        contract: "RangeConflict"
    }
    IterationFromBackNotTracked {
        breaks: "forgets what was iterated from the back of a range",
        bug: "one of the two cursors of a double-ended iterator left out of the read set",
        contract: "RangeConflict"
    }
    IteratorEndsPassEachOther {
        breaks: "lets the front of an iterator go on where the back has been",
        bug: "a double-ended iterator that gives entries twice once its ends meet",
        contract: "V1"
    }
    ValidateBeforeLead {
        breaks: "validates before it has the lead and not again",
        bug: "validation outside the commit lock",
        contract: "WriteConflict"
    }
    GroupValidatedAtOnce {
        breaks: "validates the members of a group before any of them is installed",
        bug: "group members that do not see each other",
        contract: "WriteConflict"
    }
    FollowersNotTold {
        breaks: "tells the leader only that the group failed",
        bug: "write or sync error swallowed",
        contract: "D1"
    }
    HandOverMissed {
        breaks: "checks for waiters before it gives up the lead, and not again",
        bug: "a lost wake-up between two looks at a queue",
        contract: "liveness"
    }
    SnapshotReadBeforeRegistered {
        breaks: "reads the published version before the snapshot is registered",
        bug: "snapshot version read before the lock",
        contract: "V1"
    }
    SnapshotNotRechecked {
        breaks: "registers a snapshot without looking whether collection has passed it meanwhile",
        bug: "a snapshot registered in an epoch that is over",
        contract: "V4"
    }
    SnapshotAboveItsGeneration {
        breaks: "reads a snapshot's version after it was checked that its generation is still current",
        bug: "check and act in separate steps, in the registration of a reader",
        contract: "V1"
    }
    GapTakesLastSnapshot {
        breaks: "takes the last version of a span of snapshots for one that none of them reads",
        bug: "a bound taken for exclusive in one place and inclusive in another, in garbage collection",
        contract: "V1"
    }
    ReleaseUnprotectsEqual {
        breaks: "releases all snapshots of a generation with the first of them",
        bug: "snapshots tracked in a set, so one drop unprotects an equal one",
        contract: "V4"
    }
    CollectNewestBelowOldest {
        breaks: "collects the newest version at or below the oldest snapshot",
        bug: "collection drops the newest version at or below the oldest snapshot",
        contract: "V1"
    }
    TombstoneCollectedAtOnce {
        breaks: "drops a tombstone although a snapshot that has seen it is in use",
        bug: "collection that is visible to a snapshot",
        contract: "V4"
    }
    TombstoneGoesUnseen {
        breaks: "asks once whether there are readers, and then drops tombstones one after the other",
        bug: "check and act in separate steps, in collection",
        contract: "V4"
    }
    DeleteDropsChain {
        breaks: "a delete drops all older versions of the key at once",
        bug: "delete drops the version chain",
        contract: "V4"
    }
    ScanIgnoresSnapshot {
        breaks: "scans read the newest version in the place of the snapshot's",
        bug: "snapshot lists ignore the snapshot",
        contract: "V4"
    }
    ScanIgnoresOwnDeletes {
        breaks: "scans return keys that the transaction itself has deleted",
        bug: "read-your-writes missing in scans",
        contract: "V2"
    }
    NullIsTombstone {
        breaks: "reads a null value as absent",
        bug: "a null value doubles as tombstone",
        contract: "V1"
    }
    TombstoneHasVersionZero {
        breaks: "reads a deleted key at version zero, so that a CAS takes it for one that never existed",
        bug: "ABA through delete and re-creation",
        contract: "CasConflict"
    }
    ExpiryByWallClock {
        breaks: "judges expiry by the wall clock at the read in the place of the transaction's start",
        bug: "expiry judged by the wall clock inside a snapshot",
        contract: "V7"
    }
    SweepWithoutCondition {
        breaks: "sweeps an expired key without checking that it is still the value that expired",
        bug: "a sweeper that deletes what was written again",
        contract: "V1"
    }
    SweepBeforeExpiry {
        breaks: "sweeps keys before their time",
        bug: "keys expire early",
        contract: "V7"
    }
    ExpiryNotLogged {
        breaks: "writes no expiry into the log",
        bug: "TTL missing from the log",
        contract: "D2"
    }
    CheckpointForgetsExpiry {
        breaks: "writes no expiry into checkpoints",
        bug: "TTL missing from the snapshot file",
        contract: "D2"
    }
    EndedRunWrites {
        breaks: "lets a transaction commit although its run has ended meanwhile",
        bug: "status checked at begin only",
        contract: "R1"
    }
    EventSequenceAtAppend {
        breaks: "numbers events when they are appended in the place of when they commit",
        bug: "sequence numbers drawn outside of the commit lock",
        contract: "R2"
    }
    RolledBackHeadKept {
        breaks: "numbers events behind those of a group that failed",
        bug: "in-memory state not rolled back after a failed write",
        contract: "R2"
    }
    TransitionWithoutCompare {
        breaks: "a state machine's transition is a plain write of what was checked before",
        bug: "check and act in separate steps",
        contract: "CasConflict"
    }
    PublishOutOfOrder {
        breaks: "an older commit publishes after a newer one",
        bug: "older committer publishes after a newer one",
        contract: "V5"
    }
    FailedGroupStays {
        breaks: "does not take out what a failed group had installed",
        bug: "failed append reported as abort, but the data stay",
        contract: "V3"
    }
    AckWithoutBackpressure {
        breaks: "acks a commit although the promised number or age of unsynced ones is used up",
        bug: "acked work beyond the promised interval is lost",
        contract: "D4"
    }
    AckedByEarlierSync {
        breaks: "announces commits as durable that were appended while an earlier group was synced",
        bug: "follower acked on an earlier batch's sync",
        contract: "D1"
    }
    IdleDataNotSynced {
        breaks: "syncs in the background only when a write comes",
        bug: "idle data never synced",
        contract: "D4"
    }
    SyncFailureIgnored {
        breaks: "goes on after a failed sync as if it had succeeded",
        bug: "write or sync error swallowed",
        contract: "D1"
    }
    SyncRetriedAfterFailure {
        breaks: "calls sync again after it failed, and believes the second answer",
        bug: "failed sync retried, pages marked clean",
        contract: "D1"
    }
    FailedWriteLeftInLog {
        breaks: "reports a failed write as an abort and leaves what was written in the log",
        bug: "partial record left in the log after ENOSPC, later acks lost behind it",
        contract: "D1"
    }
    DirectoryNotSynced {
        breaks: "does not sync the directory after creating, renaming or removing files",
        bug: "missing directory syncs",
        contract: "D1"
    }
    SealNotSynced {
        breaks: "goes on in the next segment before the end of the last one is synced",
        bug: "growth not synced before what needs it",
        contract: "D1"
    }
    FlushSkipsInFlight {
        breaks: "flush returns when nothing waits to be written, though a write is under way",
        bug: "final flush before commits in flight",
        contract: "D1"
    }
    CrcCoversPayloadOnly {
        breaks: "leaves length, position, epoch and database out of the checksum",
        bug: "CRC without length or epoch: stale records come back",
        contract: "D2"
    }
    TornTailNotCut {
        breaks: "leaves the torn tail after the end of the log",
        bug: "torn tail not truncated before new appends",
        contract: "D2"
    }
    DamagedMiddleCut {
        breaks: "takes damage in what was synced for a torn tail, and cuts there",
        bug: "bad record taken as the end",
        contract: "D1"
    }
    OnlyNewestSegmentReplayed {
        breaks: "replays the newest segment of the log and no other",
        bug: "only the newest segment replayed",
        contract: "D1"
    }
    VersionsReusedAfterRestart {
        breaks: "goes on with the versions and transaction ids after the last that survived",
        bug: "ids reused after a power cut",
        contract: "versions"
    }
    CheckpointRenamedBeforeSync {
        breaks: "gives a checkpoint its name before it is synced",
        bug: "log deleted before the checkpoint is durable",
        contract: "D1"
    }
    OldSegmentsDroppedFirst {
        breaks: "removes old segments before the checkpoint is durable",
        bug: "log deleted before the checkpoint is durable",
        contract: "D1"
    }
    LogBehindCheckpointDropped {
        breaks: "drops the log up to where a checkpoint was finished, in the place of where its snapshot was taken",
        bug: "watermark that does not belong to the snapshot: commits between the two are gone",
        contract: "D1"
    }
    AbortedGroupStaysInBuffer {
        breaks: "reports a failed write as an abort, and writes the records of the aborted group with the next one",
        bug: "failed append reported as abort, but the bytes stay and replay",
        contract: "V3"
    }
    CheckpointSnapshotFirst {
        breaks: "takes the snapshot of a checkpoint before the place from which replay starts",
        bug: "snapshot older than the place from which the log is replayed",
        contract: "D1"
    }
    WatermarkOffByOne {
        breaks: "skips the first commit behind a checkpoint",
        bug: "a watermark off by one",
        contract: "D1"
    }
    MergeSkipsOwnWrite {
        breaks: "a scan that shows an own write in the place of the snapshot's loses the next own write",
        bug: "a merging iterator that moves on twice where both sides have the key",
        contract: "V2"
    }
    EventsPublishedFirst {
        breaks: "publishes a commit when its events are installed, and installs its keys and machines behind that",
        bug: "events visible before the state that belongs to them",
        contract: "V1"
    }
    RetryKeepsWrites {
        breaks: "begins the next attempt of a closure with the writes of the one that lost",
        bug: "a session used again after a conflict without being reset",
        contract: "V1"
    }
    AloneNotValidated {
        breaks: "does not validate a closure that has got the turn to run alone, though others commit beside it",
        bug: "a fallback lock that keeps out other fallbacks only",
        contract: "WriteConflict"
    }
    RangeConflictNamesStart {
        breaks: "names the start of a range in a conflict in the place of the key that changed in it",
        bug: "an error that blames what is at hand: the winner never wrote the key",
        contract: "RangeConflict"
    }
    ReadConflictTellsWinner {
        breaks: "tells the winner's version as the one that the loser had read",
        bug: "two fields of an error filled from one variable",
        contract: "ReadConflict"
    }
    WritesLimitOffByOne {
        breaks: "lets a transaction write one key more than its limit",
        bug: "a limit compared with the wrong operator",
        contract: "§3"
    }
    TimeoutNotCheckedAtCommit {
        breaks: "commits a transaction whose time was over when commit was called",
        bug: "a deadline checked by operations, and not by the last one",
        contract: "§3"
    }
    ViewReadsNewest {
        breaks: "reads the newest version in place through a view of the whole database",
        bug: "a fast path that forgets the snapshot",
        contract: "V4"
    }
    DeleteIfWithoutCondition {
        breaks: "deletes although the condition of a conditional delete does not hold",
        bug: "compare-and-delete that only deletes",
        contract: "CasConflict"
    }
    ExistsNotTracked {
        breaks: "does not remember that it was asked whether a key exists",
        bug: "reads by one function missing from the read set",
        contract: "ReadConflict"
    }
    InclusiveRangeEndsBefore {
        breaks: "leaves the last key out of a range that includes it",
        bug: "an inclusive bound taken for an exclusive one",
        contract: "V1"
    }
    WaitTimeoutSaysDurable {
        breaks: "says that a commit is durable when the time to wait for that is over",
        bug: "a timed wait whose result is not looked at",
        contract: "D1"
    }
    PartOfStreamStartsLate {
        breaks: "leaves out the first event of a part of a stream",
        bug: "a cursor that begins behind its position",
        contract: "R2"
    }
    TakeLeavesValue {
        breaks: "returns a value that it was to take, and leaves it there",
        bug: "pop that peeks",
        contract: "V2"
    }
    OneMoreLock {
        breaks: "nothing: takes one more lock in each commit, as an innocent change of the code would",
        bug: "none: shows that old traces outlive changes",
        contract: ""
    }
    DirectoryReadOnce {
        breaks: "does not look again whether the directory still names the leaf that was found",
        bug: "a pointer followed after what it was read from has changed",
        contract: "V1"
    }
    SplitLeftFirst {
        breaks: "shortens a leaf that is split before the directory names the new one",
        bug: "split published in the wrong order: keys out of sight for a moment",
        contract: "V1"
    }
    HintTrusted {
        breaks: "takes the leaf in which a key was read for its leaf at commit, whatever has been split since",
        bug: "a cached position used after a split",
        contract: "WriteConflict"
    }
    RepackAtPublished {
        breaks: "drops versions that are older than the newest snapshot when it packs a leaf, not the oldest one",
        bug: "garbage collected by the wrong bound",
        contract: "V1"
    }
    RepackKeepsOldest {
        breaks: "keeps the oldest version of a key that has several in a journal when it packs the leaf",
        bug: "merge takes the wrong side",
        contract: "V1"
    }
    RollBackForgetsPromotion {
        breaks: "does not bring back from the history what a failed group had made old",
        bug: "undo without the versions that were moved meanwhile",
        contract: "V3"
    }
    RollBackForgetsSplit {
        breaks: "rolls back only the left one of a leaf that a failed group has split",
        bug: "undo that does not follow a split",
        contract: "V3"
    }
    FenceOffByOne {
        breaks: "splits leaves at the last key of the left one, which the right one is then asked for",
        bug: "a separator off by one",
        contract: "V1"
    }
    ReverseScanEndsAtEmptyLeaf {
        breaks: "ends a reverse scan at a leaf that has no key in the range",
        bug: "an empty page taken for the end",
        contract: "V1"
    }
    ScanForgetsNewKeys {
        breaks: "leaves keys out of scans that are in the journal of a leaf only",
        bug: "a scan that reads the main structure and not the delta",
        contract: "V1"
    }
    LeafNewestNotRaised {
        breaks: "does not raise the newest version of a leaf when a record is added",
        bug: "a summary that is not kept up: validation skips what has changed",
        contract: "WriteConflict"
    }
    HistoryDroppedEarly {
        breaks: "drops older versions when some snapshot has passed the first of them, not the last",
        bug: "a segment freed while part of it is in use",
        contract: "V1"
    }
    MergeLosesHistory {
        breaks: "loses the older versions of the right one when two leaves are merged",
        bug: "a merge that moves the current versions only",
        contract: "V1"
    }
    CollectionForgetsByItsBeginning {
        breaks: "forgets tombstones, in all leaves of a collection, from the version on that came next when it began",
        bug: "a bound that was right while a lock was held, used after it was given back",
        contract: "V4"
    }
    WallClockBelieved {
        breaks: "takes whatever the wall clock shows for the time, if it is not before what it has shown",
        bug: "one jump of the wall clock rules for ever: +50 years and back, and keys live on",
        contract: "A5"
    }
    AnchorWithoutHash {
        breaks: "forgets the hash of the last event that it deletes when it truncates a stream",
        bug: "a chain that can't be verified any more once its beginning is dropped",
        contract: "R2"
    }
    TruncatedWithoutAnchor {
        breaks: "deletes the first events of a stream and does not note where it begins",
        bug: "a log whose numbers begin anew once it is emptied",
        contract: "R2"
    }
    ForgottenRunWrites {
        breaks: "lets a transaction commit whose run was forgotten meanwhile",
        bug: "what is not in the table is taken for what never ended",
        contract: "R1"
    }
    LiveRunForgotten {
        breaks: "forgets old runs though they have not ended",
        bug: "a retention that looks at age alone",
        contract: "R1"
    }
    OpensWithoutLock {
        breaks: "opens a database that is open elsewhere",
        bug: "a lock that is asked for and not waited for, or was removed",
        contract: "A2"
    }
    RetryAsksAgain {
        breaks: "gives a closure up that lost to a delete whose tombstone was collected before its retry is decided",
        bug: "a decision made twice, between which what it rests on is collected",
        contract: "liveness"
    }
    WatchDeliversBeforePublish {
        breaks: "tells watches of a commit before it is synced and published",
        bug: "listeners notified inside of the transaction, which then fails",
        contract: "N2"
    }
    WatchSkipsGroupMember {
        breaks: "tells watches of the first commit of a group, and leaves out the second",
        bug: "one notification for a batch: change events lost under load",
        contract: "N1"
    }
    WatchForgetsMissed {
        breaks: "drops what a watch has no room for, and does not remember that it did",
        bug: "a ring buffer that wraps under a slow reader",
        contract: "N3"
    }
    WatchSkipsLastOfLog {
        breaks: "leaves out the last commit that a watch reads from the log before it goes on with its queue",
        bug: "a seam between history and live feed that is off by one",
        contract: "N1"
    }
    WatchDeliversUnsynced {
        breaks: "tells a watch that asks for durable commits what is not synced yet",
        bug: "a change feed ahead of the log: consumers see what a crash takes back",
        contract: "N2"
    }
    BackupSnapshotReleased {
        breaks: "ends the snapshot of a backup before its content is read, so that versions of it are collected",
        bug: "a backup copied page by page beside writers: torn between two states",
        contract: "A7"
    }
    TombstoneReadFreely {
        breaks: "reads tombstones without the lock under which they are dropped if there is no reader",
        bug: "a lock that only one side takes",
        contract: "V4"
    }
    PackingForgetsNews {
        breaks: "a leaf that was packed beside commits goes in place without what was committed meanwhile",
        bug: "a copy that is swapped in although the original has changed",
        contract: "V1"
    }
    PackingTrustsItsLeaf {
        breaks: "a leaf that was packed beside commits goes in place of whatever state the leaf has by then",
        bug: "compare-and-swap without the comparison",
        contract: "V1"
    }
    PackingIgnoresSnapshots {
        breaks: "packing beside commits drops versions that snapshots still read",
        bug: "compaction that overlooks a long reader",
        contract: "V1"
    }
    CheckpointLosesHistory {
        breaks: "writes a page as it is into a checkpoint though what its snapshot sees lies in the history",
        bug: "a page taken for all that there is under it: what moved elsewhere is lost with the log",
        contract: "D1"
    }
    PatchForgetsSnapshots {
        breaks: "writes values over those in a page that snapshots still read",
        bug: "an update in place beside readers of the old version",
        contract: "V4"
    }
    AckedAfterPoison {
        breaks: "goes on to ack commits after a sync has failed, in modes that ack before they sync",
        bug: "a failed log that is noticed by its flusher, and by no one else",
        contract: "§4"
    }
    AttemptsOffByOne {
        breaks: "runs a closure once more than its policy allows",
        bug: "a limit compared with the wrong operator",
        contract: "§3"
    }
    RetriesPastDeadline {
        breaks: "begins another attempt of a closure whose time is over",
        bug: "a timeout that each attempt gets anew",
        contract: "§3"
    }
    RetryCountedUnmade {
        breaks: "counts the last attempt of a closure that gives up as one that was retried",
        bug: "a counter raised before it is decided: one that this engine had",
        contract: "§3"
    }
    GroupCountedAsCommit {
        breaks: "counts a group of commits as one commit",
        bug: "metrics that count batches under load",
        contract: "§3"
    }
    EndedRunRevives {
        breaks: "lets a run write after a restart that had ended before",
        bug: "a state kept in memory that recovery does not restore",
        contract: "R1"
    }
    RunEndForgetsParent {
        breaks: "drops parent and tags of a run when it ends",
        bug: "a record written anew from some of its fields",
        contract: "R1"
    }
    ViewKeepsSnapshot {
        breaks: "does not release the snapshot of a view that is dropped",
        bug: "a leaked reader: nothing is collected any more",
        contract: "V4"
    }
    PlaceKept {
        breaks: "keeps the place of a closure that failed in the queue of those that keep losing",
        bug: "an early return that skips the clean-up",
        contract: "V6"
    }
    MergeKeepsSurplus {
        breaks: "goes on counting the old versions of a leaf that was merged into another",
        bug: "a gauge that only ever grows",
        contract: "V4"
    }
    ExpiryNotValidated {
        breaks: "commits although a key that was read has expired since the snapshot",
        bug: "a lease that was seen just before its end is used after another has taken over",
        contract: "V7"
    }
    WokenTaskStays {
        breaks: "leaves a task that was woken in the queue for the log, as each side leaves it to the other",
        bug: "wakers of futures that are gone pile up",
        contract: "§4"
    }
    UnsyncedBytesKept {
        breaks: "counts the memory of the log's buffer as bytes that wait to be written",
        bug: "a gauge of what is allocated in the place of what is used",
        contract: "§4"
    }
    RetiredKeptIdle {
        breaks: "keeps what was replaced as long as it is little, though no reader is in the way",
        bug: "memory that is given back under pressure only",
        contract: "V4"
    }
    ConflictsOfFollowersUncounted {
        breaks: "counts the conflict of the first member of a group, and not of those behind it",
        bug: "a leader that keeps the books for itself alone",
        contract: "§3"
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of no mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMutant(pub String);

impl fmt::Display for UnknownMutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no mutant is called {:?}: see `Mutant::ALL` for those that there are", self.0)
    }
}

impl std::error::Error for UnknownMutant {}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|mutant| mutant.name() == name);
        found.copied().ok_or_else(|| UnknownMutant(name.to_owned()))
    }
}

/// Returns whether the mutant is switched on in the current life, for [`mutant!`](crate::mutant).
#[inline]
pub fn active(mutant: Mutant) -> bool {
    life::with_core(|core| core.settings.mutants.contains(mutant)).unwrap_or(false)
}
