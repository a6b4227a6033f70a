//! The ways in which a store can be wrong on purpose.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Commits are not validated at all.
    NoValidation,
    /// Keys that were read are not validated: write skew under serializable.
    NoReadValidation,
    /// Ranges that were scanned are not validated: phantoms under serializable.
    NoRangeValidation,
    /// Conditional writes are checked against the snapshot only, and not at commit.
    NoCasValidation,
    /// Reads see the newest state and not the snapshot.
    MovingSnapshot,
    /// The version is published before all writes are installed.
    TornInstall,
    /// Every seventh acked commit is lost.
    LostCommit,
    /// Every seventh acked commit installs only half of its writes, for ever.
    HalfCommit,
    /// An abort leaves its first write behind.
    LeakyAbort,
    /// Deletes do nothing.
    NoDelete,
    /// Keys never expire.
    NoExpiry,
    /// A key expires by the time of the read, and not by that of the transaction.
    RestlessExpiry,
    /// Keys expire in half their time.
    EarlyExpiry,
    /// An ended run still writes.
    ZombieRun,
    /// Every third commit is aborted though no other transaction wrote.
    SpuriousConflict,
    /// A small database beside the store opens empty every time.
    SiblingForgets,
    /// A small database beside the store does not open a second time.
    SiblingGone,
    /// Every third append to a list counts twice.
    DoubleAppend,
    /// Every third append to a list goes in front of the one before.
    AppendsInFront,
    /// Events after the third have numbers that are one too high.
    HoleInStream,
    /// A stream proves one event less than it has.
    BrokenChain,
    /// Some transitions of a state machine lead to a state that was not asked for.
    StrayState,
    /// A watch delivers every third commit twice.
    WatchRepeats,
    /// A watch says of every third commit that it is no longer kept.
    WatchFallsBehind,
    /// A run that is alive is refused now and then.
    RefusesLiveRuns,
}
