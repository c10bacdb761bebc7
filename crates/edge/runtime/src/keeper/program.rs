//! What a start asks for, made into a program; everything that can be known to fail is found here, before the fork.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve};

use super::home::Home;
use super::ulimit::ProcessLimits;
use super::user::Identity;
use crate::{Start, StartError};

/// What a child inherits of the keeper's environment.
pub(crate) const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "USER"];

const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// All that execve takes, so that the child has nothing to work out.
#[derive(Debug)]
pub(crate) struct Program {
    path: CString,
    arguments: Vec<CString>,
    /// `NAME=value` each.
    environment: Vec<CString>,
    workdir: PathBuf,
    /// The keeper's own when none.
    identity: Option<Identity>,
}

impl Program {
    pub(crate) fn of(start: &Start, home: &Home) -> Result<Program, StartError> {
        let name = start.command.first().filter(|name| !name.is_empty()).ok_or(StartError::EmptyCommand)?;
        check_names(name, start)?;
        if !start.workdir.is_dir() {
            let workdir = start.workdir.clone();
            return Err(StartError::NoWorkdir { program: name.clone(), workdir });
        }
        let identity = identity(name, start)?;
        let env = environment(start, home, identity.as_ref());
        let path = find(name, &start.workdir, &env)?;
        Ok(Program {
            path: c_string(name, || "the path".to_string(), path.as_os_str().as_bytes())?,
            arguments: arguments(name, start)?,
            environment: c_environment(name, &env)?,
            workdir: start.workdir.clone(),
            identity,
        })
    }

    /// As whom it will run, when that is not whoever the keeper is.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Takes the place of standard input, output and error, and of the user, in the directory. To be called in the child;
    /// says what could not be done.
    pub(crate) fn take_place(
        &self,
        output: &File,
        limits: &ProcessLimits,
    ) -> Result<(), (String, io::Error)> {
        redirect(output).map_err(|error| ("its output cannot be connected".to_string(), error))?;
        // Late, since a limit on open files would hold for what we open, too; and as long as we are who we are.
        limits.set().map_err(|(ulimit, error)| (format!("its limit {ulimit} cannot be set"), error))?;
        if let Some(identity) = &self.identity {
            identity.assume().map_err(|error| ("its user cannot be taken on".to_string(), error))?;
        }
        let closed = |error: Errno| {
            (format!("its directory '{}' cannot be entered", self.workdir.display()), error.into())
        };
        chdir(&self.workdir).map_err(closed)
    }

    /// Becomes the program. Returns only when it cannot. To be called in the child, and unlike execvp it takes nothing
    /// for a shell script that does not say so.
    pub(crate) fn exec(&self) -> io::Error {
        match execve(&self.path, &self.arguments, &self.environment) {
            Ok(never) => match never {},
            Err(errno) => errno.into(),
        }
    }
}

fn redirect(output: &File) -> io::Result<()> {
    dup2_stdin(File::open("/dev/null")?.as_fd())?;
    dup2_stdout(output)?;
    Ok(dup2_stderr(output)?)
}

fn identity(name: &str, start: &Start) -> Result<Option<Identity>, StartError> {
    let Some(user) = &start.user else { return Ok(None) };
    let found = Identity::find(user);
    found.map(Some).map_err(|problem| StartError::NoUser {
        program: name.to_string(),
        user: user.clone(),
        problem,
    })
}

/// None when there is a zero byte in it already.
pub(crate) fn with_zero(text: &str) -> Option<CString> {
    CString::new(text).ok()
}

fn arguments(name: &str, start: &Start) -> Result<Vec<CString>, StartError> {
    let numbered = start.command.iter().enumerate();
    numbered
        .map(|(number, argument)| c_string(name, || format!("argument {number}"), argument.as_bytes()))
        .collect()
}

fn c_environment(name: &str, env: &BTreeMap<String, OsString>) -> Result<Vec<CString>, StartError> {
    let entry = |(variable, value): (&String, &OsString)| {
        let text = [variable.as_bytes(), b"=", value.as_bytes()].concat();
        c_string(name, || format!("environment variable '{variable}'"), &text)
    };
    env.iter().map(entry).collect()
}

fn c_string(name: &str, what: impl Fn() -> String, bytes: &[u8]) -> Result<CString, StartError> {
    CString::new(bytes).map_err(|_| invalid(name, what(), "it has a zero byte in it"))
}

fn invalid(name: &str, what: String, problem: &str) -> StartError {
    StartError::Invalid { program: name.replace('\0', "\\0"), what, problem: problem.to_string() }
}

fn check_names(name: &str, start: &Start) -> Result<(), StartError> {
    match start.env.keys().find(|variable| variable.is_empty() || variable.contains('=')) {
        Some(bad) => Err(invalid(name, format!("environment variable '{bad}'"), "this is no name for one")),
        None => Ok(()),
    }
}

/// Another user than the keeper's has its own name and home.
fn environment(start: &Start, home: &Home, identity: Option<&Identity>) -> BTreeMap<String, OsString> {
    let inherited = INHERITED.iter().filter_map(|name| Some((name.to_string(), env::var_os(name)?)));
    let given = start.env.iter().map(|(name, value)| (name.clone(), value.into()));
    let mut env = BTreeMap::from([("PATH".to_string(), DEFAULT_PATH.into())]);
    env.extend(inherited);
    if let Some(Identity { name, home, .. }) = identity {
        env.remove("USER");
        env.extend(name.iter().map(|name| ("USER".to_string(), name.into())));
        env.insert("HOME".to_string(), home.into());
    }
    env.extend(given);
    let own = [("ADSUM_INSTANCE", start.id.as_str()), ("ADSUM_CLUSTER", &home.cluster)];
    env.extend(own.map(|(name, value)| (name.to_string(), value.into())));
    env
}

fn find(program: &str, workdir: &Path, env: &BTreeMap<String, OsString>) -> Result<PathBuf, StartError> {
    if program.contains('/') {
        let path = workdir.join(program);
        return match problem(&path) {
            None => Ok(path),
            Some(Problem::Missing) => {
                Err(StartError::NoProgram { program: program.to_string(), looked_at: path })
            }
            Some(Problem::NotExecutable(problem)) => Err(not_executable(program, problem)),
        };
    }
    find_in_path(program, workdir, env)
}

/// The first that can be executed; when there is none, the first that is there says why not.
fn find_in_path(
    program: &str,
    workdir: &Path,
    env: &BTreeMap<String, OsString>,
) -> Result<PathBuf, StartError> {
    let path = env.get("PATH").cloned().unwrap_or_default();
    let mut not_fit = None;
    for dir in env::split_paths(&path) {
        let candidate = workdir.join(dir).join(program);
        match problem(&candidate) {
            None => return Ok(candidate),
            Some(Problem::Missing) => {}
            Some(Problem::NotExecutable(problem)) => not_fit = not_fit.or(Some(problem)),
        }
    }
    let path = path.to_string_lossy().into_owned();
    let missing = StartError::NotInPath { program: program.to_string(), path };
    Err(not_fit.map_or(missing, |problem| not_executable(program, problem)))
}

enum Problem {
    Missing,
    NotExecutable(String),
}

fn problem(path: &Path) -> Option<Problem> {
    let Ok(metadata) = path.metadata() else { return Some(Problem::Missing) };
    let shown = path.display();
    if !metadata.is_file() {
        Some(Problem::NotExecutable(format!("{shown} is no file")))
    } else if access(path, AccessFlags::X_OK).is_err() {
        Some(Problem::NotExecutable(format!("{shown} is not marked executable for us (chmod +x)")))
    } else {
        None
    }
}

fn not_executable(program: &str, problem: String) -> StartError {
    StartError::NotExecutable { program: program.to_string(), problem }
}
