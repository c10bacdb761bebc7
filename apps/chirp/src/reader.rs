//! `chirp reader`: follows a tweet stream and queues the tweets that match.
//!
//! A tweet is queued first and the position saved after, so a reader killed between the two queues some tweets again
//! and never loses one. Tweets queued twice are stored once, by their id.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::coordination::{Coordination, cmd};
use crate::environment::Environment;
use crate::filter::Filter;
use crate::generator;
use crate::lines::Line;
use crate::log::{Sparingly, log};
use crate::progress::Progress;
use crate::queue;
use crate::stop::Stop;
use crate::stream::Stream;
use crate::tweet::Tweet;

/// Where the counts are found once a finite stream is through.
const DONE: &str = "/chirp/reader/done";
/// The queue is bounded: above this the reader waits for the workers.
const LONGEST_QUEUE: u64 = 10_000;
const SAVE_EVERY: Duration = Duration::from_millis(500);
const BAD_LINES_PER_SECOND: u32 = 5;

#[derive(clap::Args)]
pub struct Options {
    /// A file of tweets, one JSON object per line, or '-' for standard input [default: made-up tweets]
    #[arg(long, value_name = "FILE|-")]
    stream: Option<PathBuf>,
    /// The file still grows; its end is there when FILE.end is
    #[arg(long, requires = "stream")]
    follow: bool,
    /// Only tweets with one of these: '#hashtag' or word, by comma, in any case [default: all]
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TERMS")]
    track: String,
    /// Tweets per second [default: as fast as they come; 10 when made up]
    #[arg(long, value_name = "PER_SECOND", value_parser = per_second)]
    rate: Option<Duration>,
    #[command(flatten)]
    generator: generator::Options,
}

/// The pause between two at so many per second.
pub fn per_second(text: &str) -> Result<Duration, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if !(0.001..=1_000_000.0).contains(&rate) {
        return Err("not between 0.001 and 1000000".to_string());
    }
    Ok(Duration::from_secs_f64(1.0 / rate))
}

impl Options {
    fn stream(&self) -> Stream {
        match &self.stream {
            Some(path) if path.as_os_str() == "-" => Stream::StandardInput,
            Some(path) if self.follow => Stream::Growing(path.clone()),
            Some(path) => Stream::File(path.clone()),
            None => Stream::Generated(self.generator.clone()),
        }
    }

    /// Made-up tweets have no pace of their own, so they get one.
    fn pace(&self) -> Option<Interval> {
        let made_up = self.stream.is_none().then_some(Duration::from_millis(100));
        let mut pace = tokio::time::interval(self.rate.or(made_up)?);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(pace)
    }
}

/// At the end of a finite stream it stays, since Adsum restarts a service that ends.
pub async fn run(options: Options, environment: Environment, stop: Stop) -> anyhow::Result<()> {
    let mut reader = Reader::resume(&options, Coordination::at(&environment.resp)?).await;
    let mut lines = options.stream().open(reader.progress.position)?;
    let mut pace = options.pace();
    while let Some(line) = stop.or(next(&mut lines, &mut pace)).await {
        let Some(line) = line.transpose()? else {
            reader.finish().await;
            stop.wait().await;
            break;
        };
        reader.take_in(line, &stop).await;
    }
    reader.save().await;
    Ok(())
}

async fn next(
    lines: &mut tokio::sync::mpsc::Receiver<io::Result<Line>>,
    pace: &mut Option<Interval>,
) -> Option<io::Result<Line>> {
    if let Some(pace) = pace {
        pace.tick().await;
    }
    lines.recv().await
}

struct Reader {
    adsum: Coordination,
    filter: Filter,
    key: Option<String>,
    progress: Progress,
    saved: Instant,
    bad_lines: Sparingly,
}

impl Reader {
    async fn resume(options: &Options, mut adsum: Coordination) -> Reader {
        let key = options.stream().key();
        adsum.insist::<()>(cmd("DEL").arg(DONE)).await;
        let progress = Progress::load(&mut adsum, key.as_deref()).await;
        let filter = Filter::parse(&options.track);
        let bad_lines = Sparingly::new(BAD_LINES_PER_SECOND);
        Reader { adsum, filter, key, progress, saved: Instant::now(), bad_lines }
    }

    async fn take_in(&mut self, line: Line, stop: &Stop) {
        self.progress.lines += 1;
        match line.content {
            // Streams send empty lines to say that they are still there.
            Ok(content) if content.trim().is_empty() => {}
            Ok(content) => match Tweet::parse(&content) {
                Ok(tweet) => self.consider(tweet, stop).await,
                Err(reason) => self.skip(&reason),
            },
            Err(reason) => self.skip(reason),
        }
        self.progress.position = line.end;
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save().await;
        }
    }

    async fn consider(&mut self, tweet: Tweet, stop: &Stop) {
        if !self.filter.matches(&tweet) {
            self.progress.filtered += 1;
            return;
        }
        let waiting = queue::push(&mut self.adsum, &tweet.json).await;
        self.progress.pushed += 1;
        if waiting > LONGEST_QUEUE {
            self.wait_for_the_workers(stop).await;
        }
    }

    fn skip(&mut self, reason: &str) {
        self.progress.bad += 1;
        self.bad_lines.line(format_args!("skipped line={} reason=\"{reason}\"", self.progress.lines));
    }

    async fn wait_for_the_workers(&mut self, stop: &Stop) {
        log!("more than {LONGEST_QUEUE} tweets are queued, waiting for the workers");
        while !stop.requested() && queue::length(&mut self.adsum).await > LONGEST_QUEUE / 2 {
            stop.pause(Duration::from_millis(200)).await;
        }
    }

    async fn save(&mut self) {
        if let Some(key) = &self.key {
            self.progress.save(&mut self.adsum, key).await;
        }
        self.saved = Instant::now();
    }

    async fn finish(&mut self) {
        self.bad_lines.summarize();
        self.save().await;
        self.progress.save(&mut self.adsum, DONE).await;
        log!("the stream is through {}", self.progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_pause() {
        assert_eq!(per_second("10"), Ok(Duration::from_millis(100)));
        assert_eq!(per_second("0.5"), Ok(Duration::from_secs(2)));
        for rate in ["0", "-1", "NaN", "inf", "fast", ""] {
            assert!(per_second(rate).is_err(), "{rate}");
        }
    }
}
