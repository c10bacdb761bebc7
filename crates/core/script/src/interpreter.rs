//! The one interpreter: compiles scripts and runs them, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mlua::{Error, Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};
use parking_lot::Mutex;

use crate::cache::{Cache, Sha};
use crate::calls::{self, Commands};
use crate::chance::Chance;
use crate::garbage::Garbage;
use crate::raised::{Raised, is_counted, message};
use crate::sandbox::{Sandbox, compile_script};
use crate::shebang::{Shebang, Writing};
use crate::{End, MEMORY, Overseer, Patience, cjson, sha1};

/// Instructions between two looks at the overseer.
const INSTRUCTIONS: u32 = 10_000;

const PANICKED: &str = "a command of the script has panicked";

/// What a script is run with.
pub struct Input<'a> {
    pub keys: &'a [&'a [u8]],
    pub arguments: &'a [&'a [u8]],
    pub patience: Patience,
    /// Of `math.random`.
    pub seed: u64,
}

/// Why a script gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is none of this name.
    Unknown,
    /// An error, with its code. What the script has done before it stands.
    Raised(String),
    /// The same: of a command, which has been counted as an error already.
    Answered(String),
    /// It had to end. What it has done is to be taken back.
    Ended(End),
}

pub struct Interpreter {
    lua: Lua,
    sandbox: Sandbox,
    cache: Cache,
    /// Those of the scripts in the cache, by their SHA-1: of handles there can be a few thousand only.
    functions: Table,
    /// The one that was run last: mostly it is the next one too.
    last: Option<Last>,
    course: Arc<Course>,
    garbage: Garbage,
}

/// A script at hand. As long as it is, the cache learns of its use when another one is loaded, and may forget one.
struct Last {
    sha: Sha,
    function: Function,
    writing: Writing,
}

/// Shared by the interpreter and the functions that it gives to scripts.
pub(crate) struct Course {
    pub(crate) overseer: Arc<Overseer>,
    pub(crate) json: cjson::Shared,
    pub(crate) run: Mutex<Run>,
    /// Whether the script has asked for replies in RESP3.
    pub(crate) resp3: AtomicBool,
    /// Whether the thread that runs the script can be spared for it.
    is_patient: AtomicBool,
    /// Whether it has to end: then `run` says why. Only the thread of the script reads and sets this and the others here.
    is_over: AtomicBool,
    /// Whether a command of the script is being run. Where the script goes on, one is that has panicked, of which Lua has
    /// lost what was raised: it had no stack left for it.
    pub(crate) in_command: AtomicBool,
}

/// Of the script that runs.
pub(crate) struct Run {
    pub(crate) chance: Chance,
    /// Why it has to end, once that is known.
    end: Option<End>,
}

impl Course {
    /// Whether the script may go on, and if so, whether it has asked for replies in RESP3.
    pub(crate) fn check(&self) -> Result<bool, Raised> {
        if self.in_command.load(Relaxed) {
            self.end(End::Refused(PANICKED.to_owned()));
        }
        self.check_time()?;
        Ok(self.resp3.load(Relaxed))
    }

    /// Whether it has to end, which may be asked within a command.
    pub(crate) fn check_time(&self) -> Result<(), Raised> {
        if !self.is_over() {
            let patience = if self.is_patient.load(Relaxed) { Patience::Long } else { Patience::Short };
            let Some(end) = self.overseer.verdict(patience) else { return Ok(()) };
            self.end(end);
        }
        let end = self.run.lock().end.clone().expect("what is over has a reason");
        Err(Raised::Ended(end))
    }

    /// The same; if so, it is in a command from now on.
    pub(crate) fn begin_command(&self) -> Result<bool, Raised> {
        let resp3 = self.check()?;
        self.in_command.store(true, Relaxed);
        Ok(resp3)
    }

    /// It has to end; the first reason is the one that counts.
    pub(crate) fn end(&self, end: End) {
        self.run.lock().end.get_or_insert(end);
        self.is_over.store(true, Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    fn begin(&self, input: &Input<'_>) {
        *self.json.lock() = cjson::Settings::default();
        *self.run.lock() = Run { chance: Chance::new(input.seed), end: None };
        self.resp3.store(false, Relaxed);
        self.is_patient.store(input.patience == Patience::Long, Relaxed);
        self.is_over.store(false, Relaxed);
        self.in_command.store(false, Relaxed);
    }

    fn take_end(&self) -> Option<End> {
        if self.is_over() { self.run.lock().end.take() } else { None }
    }
}

/// Has long work of a library end with the script that it is for.
pub(crate) struct Pace<'c> {
    course: &'c Course,
    steps: u32,
}

impl<'c> Pace<'c> {
    pub(crate) fn new(course: &'c Course) -> Pace<'c> {
        Pace { course, steps: 0 }
    }

    pub(crate) fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps < INSTRUCTIONS {
            return Ok(());
        }
        self.steps = 0;
        self.course.check().map(drop).map_err(|raised| raised.to_string())
    }
}

impl Interpreter {
    /// Fails when there is not enough memory for it.
    pub fn new(overseer: Arc<Overseer>) -> mlua::Result<Interpreter> {
        // A panic of a command is to reach those who know what it means, and no script: the sandbox passes it on.
        let options = LuaOptions::new().catch_rust_panics(true);
        let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, options)?;
        let run = Run { chance: Chance::new(0), end: None };
        let course = Arc::new(Course {
            overseer,
            json: cjson::Shared::default(),
            run: Mutex::new(run),
            resp3: false.into(),
            is_patient: true.into(),
            is_over: false.into(),
            in_command: false.into(),
        });
        let sandbox = Sandbox::new(&lua, &course)?;
        watch(&lua, &course, INSTRUCTIONS)?;
        let (functions, cache) = (lua.create_table()?, Cache::default());
        lua.set_memory_limit(0)?;
        let garbage = Garbage::new(&lua);
        Ok(Interpreter { lua, sandbox, cache, functions, last: None, course, garbage })
    }

    /// Compiles a script and keeps it. What is wrong with it, as an error with its code.
    pub fn load(&mut self, body: &[u8]) -> Result<Sha, String> {
        let sha = sha1::hex(body);
        if self.cache.contains(&sha) {
            return Ok(sha);
        }
        let shebang = Shebang::parse(body)?;
        let compile = || compile_script(&self.lua, &body[shebang.length..], &self.sandbox.environment);
        let function = limited(&self.lua, compile).map_err(|error| {
            let text = match &error {
                Error::SyntaxError { message, .. } => message.clone(),
                other => message(other),
            };
            format!("ERR Error compiling script (new function): {text}")
        })?;
        if let Some(last) = self.last.take() {
            self.cache.find(&last.sha);
        }
        let names = self.cache.add(sha, shebang.writing, body.len());
        let keep = |functions: &Table| {
            for gone in names {
                functions.raw_remove(self.lua.create_string(gone)?)?;
            }
            functions.raw_set(self.lua.create_string(sha)?, function)
        };
        keep(&self.functions).map_err(|error| {
            self.cache.remove(&sha);
            format!("ERR Error compiling script (new function): {}", message(&error))
        })?;
        Ok(sha)
    }

    pub fn has(&self, sha: &Sha) -> bool {
        self.cache.contains(sha)
    }

    /// What the script has said of its writing.
    pub fn writing(&mut self, sha: &Sha) -> Writing {
        match &self.last {
            Some(last) if last.sha == *sha => last.writing,
            Some(_) | None => self.cache.find(sha).map_or(Writing::Unsaid, |script| script.writing),
        }
    }

    /// Forgets all scripts.
    pub fn flush(&mut self) {
        self.cache.clear();
        self.last = None;
        // It cannot fail: there is nothing to be called for a table of our own.
        let _ = self.functions.clear();
    }

    /// How many scripts there are, and the bytes of them.
    pub fn cached(&self) -> (usize, usize) {
        (self.cache.len(), self.cache.bytes())
    }

    /// Bytes in use.
    pub fn memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// Runs a script, and hands what it returns to `take`, in the protocol that it has asked for last.
    pub fn run<T>(
        &mut self,
        sha: &Sha,
        input: &Input<'_>,
        commands: &mut dyn Commands,
        take: impl FnOnce(Value, bool) -> T,
    ) -> Result<T, Failure> {
        self.course.begin(input);
        self.look_up(sha)?;
        let function = &self.last.as_ref().expect("it was looked up").function;
        let (lua, sandbox, course) = (&self.lua, &self.sandbox, &self.course);
        let outcome = calls::lend(commands, || sandbox.run(lua, function, input));
        // It can only fail for an interpreter that is not our own.
        let _ = lua.set_memory_limit(0);
        let end = course.take_end();
        if end.is_some() {
            // From now on not every instruction is looked at any more.
            watch(lua, course, INSTRUCTIONS).map_err(|error| failed(&error))?;
        }
        assert!(!course.in_command.load(Relaxed), "{PANICKED}");
        let resp3 = course.resp3.load(Relaxed);
        let result = match (end, outcome) {
            (Some(end), _) => Err(Failure::Ended(end)),
            (None, Ok((true, value))) => Ok(take(value, resp3)),
            (None, Ok((false, error))) => Err(raised(&error, sha)),
            (None, Err(error)) => Err(failed(&error)),
        };
        self.garbage.look_after(&self.lua);
        result
    }

    /// Makes a script that is in the cache the last one.
    fn look_up(&mut self, sha: &Sha) -> Result<(), Failure> {
        if self.last.as_ref().is_none_or(|last| last.sha != *sha) {
            let writing = self.cache.find(sha).ok_or(Failure::Unknown)?.writing;
            let name = self.lua.create_string(sha);
            let function = name.and_then(|name| self.functions.raw_get(name));
            let function = function.map_err(|error| failed(&error))?;
            self.last = Some(Last { sha: *sha, function, writing });
        }
        Ok(())
    }
}

/// Does what a script wants with the limit that a script has. What is there already counts for nobody.
fn limited<T>(lua: &Lua, work: impl FnOnce() -> T) -> T {
    // It can only fail for an interpreter that is not our own.
    let _ = lua.set_memory_limit(lua.used_memory() + MEMORY);
    let done = work();
    let _ = lua.set_memory_limit(0);
    done
}

/// Has the script looked after, every so many instructions.
fn watch(lua: &Lua, course: &Arc<Course>, instructions: u32) -> mlua::Result<()> {
    let own = course.clone();
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(instructions), move |lua, _| {
        let Err(raised) = own.check() else { return Ok(VmState::Continue) };
        if instructions > 1 {
            // Whatever it catches: the next instruction does not come to pass either.
            watch(lua, &own, 1)?;
        }
        Err(raised.into())
    })
}

/// An error in Redis' words.
fn raised(error: &Value, sha: &Sha) -> Failure {
    let Value::Table(table) = error else {
        // Of memory that has run out nobody can tell where.
        let text = match error {
            Value::String(text) => text.to_string_lossy(),
            Value::Error(error) => message(error),
            other => other.type_name().to_owned(),
        };
        return Failure::Raised(format!("ERR Error running script: {}", with_limit(&text)));
    };
    let text = table.raw_get::<mlua::LuaString>("err").map(|text| text.to_string_lossy());
    let text = with_limit(&text.unwrap_or_default());
    let text = match (table.raw_get::<String>("source"), table.raw_get::<i64>("line")) {
        (Ok(source), Ok(line)) => {
            let sha = String::from_utf8_lossy(sha);
            format!("{text} script: {sha}, on {source}:{line}.")
        }
        _ => text,
    };
    if is_counted(table) { Failure::Answered(text) } else { Failure::Raised(text) }
}

fn failed(error: &Error) -> Failure {
    Failure::Raised(format!("ERR Error running script: {}", with_limit(&message(error))))
}

fn with_limit(text: &str) -> String {
    let limit = MEMORY / 1024 / 1024;
    text.replace("not enough memory", &format!("not enough memory: a script has {limit} MiB"))
}
