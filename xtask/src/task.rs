//! What the person asked for: the command line of `cargo xtask`, parsed by hand.

/// Shown by `--help`, and after wrong usage.
pub(crate) const HELP: &str = "\
Usage: cargo xtask TASK

  demo chirp [ARGS...]         build in release mode and run `adsum demo chirp ARGS`
  test [--strict] [FILTER]     format, clippy, tidy, build, all tests; lists what was skipped and why
  soak [NAME] [--rounds N]     the end-to-end tests with higher counts, in release mode
  bench NAME [ARGS...]         side-by-side benchmarks against the peers
  tidy                         the rules of the house, as a test
  etcd-protos                  the Rust of etcd's protocol anew, after a change of its .proto file

Examples:
  cargo xtask demo chirp --stream tweets.ndjson
  cargo xtask test                    as an ordinary user; as root on Debian it installs what is missing
  cargo xtask test --strict           a skipped test is a failure (CI)
  cargo xtask soak kill9 --rounds 200
  cargo xtask soak gateway            the tests of one folder in tests/tests
  cargo xtask bench resp

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// One task with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Demo { words: Vec<String> },
    Test { strict: bool, filter: Option<String> },
    Soak { name: Option<String>, rounds: Option<u32> },
    Bench { words: Vec<String> },
    Tidy,
    EtcdProtos,
}

impl Task {
    /// The task in these words, or a sentence that says what is wrong with them.
    pub(crate) fn parse(words: &[String]) -> Result<Task, String> {
        let Some((name, rest)) = words.split_first() else { return Err("which task?".to_string()) };
        match name.as_str() {
            "help" | "--help" | "-h" => Ok(Task::Help),
            "demo" => demo(rest),
            "test" | "soak" | "bench" | "tidy" | "etcd-protos" if asks_for_help(rest) => Ok(Task::Help),
            "test" => test(rest),
            "soak" => soak(rest),
            "bench" => bench(rest),
            "tidy" => alone("tidy", Task::Tidy, rest),
            "etcd-protos" => alone("etcd-protos", Task::EtcdProtos, rest),
            other => Err(format!("there is no task {other:?}")),
        }
    }
}

fn asks_for_help(words: &[String]) -> bool {
    matches!(words.first().map(String::as_str), Some("--help" | "-h"))
}

/// Words after the application's name belong to `adsum demo`, `--help` included.
fn demo(words: &[String]) -> Result<Task, String> {
    match words.first().map(String::as_str) {
        Some("--help" | "-h") => Ok(Task::Help),
        Some("chirp") => Ok(Task::Demo { words: words.to_vec() }),
        Some(other) => Err(format!("there is no demo {other:?}: try `demo chirp`")),
        None => Err("which demo? try `demo chirp`".to_string()),
    }
}

fn test(words: &[String]) -> Result<Task, String> {
    let mut strict = false;
    let mut filter = None;
    for word in words {
        match word.as_str() {
            "--strict" => strict = true,
            option if option.starts_with('-') => return Err(format!("test has no option {option}")),
            name => set_once(&mut filter, name, "test takes one FILTER")?,
        }
    }
    Ok(Task::Test { strict, filter })
}

fn soak(words: &[String]) -> Result<Task, String> {
    let mut name = None;
    let mut rounds = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = Some(round_count(words.next())?),
            option if option.starts_with('-') => return Err(format!("soak has no option {option}")),
            test => set_once(&mut name, test, "soak takes one NAME")?,
        }
    }
    Ok(Task::Soak { name, rounds })
}

fn round_count(word: Option<&String>) -> Result<u32, String> {
    let word = word.ok_or("--rounds wants a number")?;
    match word.parse() {
        Ok(count) if count > 0 => Ok(count),
        Ok(_) | Err(_) => Err(format!("--rounds wants a number from 1, not {word:?}")),
    }
}

fn set_once(place: &mut Option<String>, word: &str, otherwise: &str) -> Result<(), String> {
    match place.replace(word.to_string()) {
        None => Ok(()),
        Some(first) => Err(format!("{otherwise}, not {first:?} and {word:?}")),
    }
}

fn bench(words: &[String]) -> Result<Task, String> {
    match words.is_empty() {
        true => Err("which benchmark? try `bench resp`".to_string()),
        false => Ok(Task::Bench { words: words.to_vec() }),
    }
}

/// A task that takes nothing.
fn alone(name: &str, task: Task, words: &[String]) -> Result<Task, String> {
    match words.first() {
        None => Ok(task),
        Some(word) => Err(format!("{name} takes no arguments, not {word:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Result<Task, &str>) {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        assert_eq!(Task::parse(&words), expect.map_err(str::to_string));
    }

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn demo_passes_everything_after_it_on() {
        check("demo chirp --stream - --help", Ok(Task::Demo { words: words("chirp --stream - --help") }));
        check("demo shop", Err("there is no demo \"shop\": try `demo chirp`"));
        check("demo", Err("which demo? try `demo chirp`"));
    }

    #[test]
    fn test_takes_strict_and_one_filter_in_any_order() {
        check("test", Ok(Task::Test { strict: false, filter: None }));
        check("test kv --strict", Ok(Task::Test { strict: true, filter: Some("kv".to_string()) }));
        check("test a b", Err("test takes one FILTER, not \"a\" and \"b\""));
        check("test --fast", Err("test has no option --fast"));
    }

    #[test]
    fn soak_takes_a_name_and_a_positive_count() {
        check(
            "soak kill9 --rounds 200",
            Ok(Task::Soak { name: Some("kill9".to_string()), rounds: Some(200) }),
        );
        check("soak --rounds 0", Err("--rounds wants a number from 1, not \"0\""));
        check("soak --rounds", Err("--rounds wants a number"));
    }

    #[test]
    fn a_wrong_task_is_named_in_the_refusal() {
        check("deploy", Err("there is no task \"deploy\""));
        check("", Err("which task?"));
        check("tidy all", Err("tidy takes no arguments, not \"all\""));
        check("etcd-protos", Ok(Task::EtcdProtos));
        check("etcd-protos x", Err("etcd-protos takes no arguments, not \"x\""));
        check("bench", Err("which benchmark? try `bench resp`"));
    }

    #[test]
    fn help_is_found_at_both_levels() {
        check("--help", Ok(Task::Help));
        check("test --help", Ok(Task::Help));
        check("demo -h", Ok(Task::Help));
    }
}
