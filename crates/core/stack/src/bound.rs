//! The ranges within which a wish can be fulfilled.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Instances of one service.
pub const REPLICAS: RangeInclusive<i64> = 0..=10_000;
/// Arguments of a command, variables of an environment: at most this many.
pub const ENTRIES: usize = 1024;
/// Tags of a service, at most.
pub const TAGS: usize = 64;

/// Bytes of one argument or one variable, less than what Linux takes (`MAX_ARG_STRLEN`, 128 KiB).
pub(crate) const TEXT: usize = 100 * 1024;
/// Bytes of a path.
pub(crate) const PATH: usize = 4096;
/// Bytes of a tag.
pub(crate) const TAG: usize = 255;

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=HOUR;
pub(crate) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);
pub(crate) const RETRIES: RangeInclusive<i64> = 1..=1000;
pub(crate) const START_PERIOD: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// Not nothing, since nothing doubled stays nothing: a program that fails at once would be started without a pause.
pub(crate) const RESTART_DELAY: RangeInclusive<Duration> = Duration::from_millis(10)..=HOUR;
pub(crate) const MAX_ATTEMPTS: RangeInclusive<i64> = 0..=1_000_000;
pub(crate) const GRACE: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
pub(crate) const PARALLELISM: RangeInclusive<i64> = REPLICAS;
