//! The ranges within which a wish can be fulfilled.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Instances of one service.
pub const REPLICAS: RangeInclusive<i64> = 0..=10_000;
/// Arguments of a command, variables of an environment: at most this many.
pub const ENTRIES: usize = 1024;
/// Tags of a service, at most.
pub const TAGS: usize = 64;
/// Routes of a service, at most: those that were written and those of labels together.
pub const ROUTES: usize = 50;
/// Published ports of a service, at most.
pub const PORTS: usize = 20;
/// Labels of a service, at most.
pub const LABELS: usize = 100;

/// Bytes of one argument or one variable, less than what Linux takes (`MAX_ARG_STRLEN`, 128 KiB).
pub(crate) const TEXT: usize = 100 * 1024;
/// Bytes of a path.
pub(crate) const PATH: usize = 4096;
/// Bytes of a tag, and of the name of a label.
pub(crate) const TAG: usize = 255;
/// Bytes of the value of a label; a rule may be this long.
pub(crate) const LABEL: usize = 8 * 1024;

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=HOUR;
pub(crate) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);
pub(crate) const RETRIES: RangeInclusive<i64> = 1..=1000;
pub(crate) const START_PERIOD: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// Not nothing, since nothing doubled stays nothing: a program that fails at once would be started without a pause.
pub(crate) const RESTART_DELAY: RangeInclusive<Duration> = Duration::from_millis(10)..=HOUR;
pub(crate) const MAX_ATTEMPTS: RangeInclusive<i64> = 0..=1_000_000;
/// 0 is for ever.
pub(crate) const WINDOW: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
/// Less than the least and a process dies before its program begins.
pub(crate) const MEMORY: RangeInclusive<u64> = (1 << 20)..=(1 << 50);
/// Thousandths; the kernel takes nothing below a millisecond in 100.
pub(crate) const CPU: RangeInclusive<u32> = 10..=1_000_000;
pub(crate) const PIDS: RangeInclusive<i64> = 1..=4_194_304;
pub(crate) const GRACE: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// Of what an update waits for: between batches, and for a new instance to stay well.
pub(crate) const PACE: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
pub(crate) const PARALLELISM: RangeInclusive<i64> = REPLICAS;

pub(crate) const PRIORITY: RangeInclusive<i64> = -1_000_000..=1_000_000;
pub(crate) const WEIGHT: RangeInclusive<i64> = 0..=10_000;
pub(crate) const PORT: RangeInclusive<i64> = 1..=65_535;

pub(crate) const SLOW_START: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
pub(crate) const CONNECT_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);
/// 0 is without a limit of its own.
pub(crate) const TRY_TIMEOUT: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// 0 is without a limit.
pub(crate) const REQUEST_TIMEOUT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
pub(crate) const HOLD: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);
pub(crate) const TRIES: RangeInclusive<i64> = 0..=10;
pub(crate) const PERCENT: RangeInclusive<i64> = 0..=100;
pub(crate) const PER_SECOND: RangeInclusive<i64> = 0..=1000;
pub(crate) const REQUESTS: RangeInclusive<i64> = 0..=1_000_000;
pub(crate) const PENDING: RangeInclusive<i64> = 0..=100_000;
