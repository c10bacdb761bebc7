//! What a program wrote and how it ended.

/// A program that has ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The standard output without the space around it; panics with everything when the program failed.
    #[track_caller]
    pub fn ok(self) -> String {
        self.ends_with(0);
        self.stdout.trim().to_string()
    }

    /// The standard error without the space around it; panics when the program did not end with this code.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        self.ends_with(code);
        self.stderr.trim().to_string()
    }

    #[track_caller]
    fn ends_with(&self, code: i32) {
        let Output { line, stdout, stderr, .. } = self;
        assert!(
            self.code == Some(code),
            "{line}\nended with {:?} instead of {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
            self.code
        );
    }
}
