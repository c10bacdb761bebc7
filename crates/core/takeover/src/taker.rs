//! The side of the agent that is started.

/// Whoever takes over.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Taker {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    #[default]
    Greeting,
    /// Has said Take.
    Taking,
    /// Reads the journal and opens everything; whether the old one has gone meanwhile.
    Opening {
        alone: bool,
    },
    /// Has said Ready.
    Waiting,
    Serving,
    Failed,
}

/// What the taker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Offer,
    Refused,
    Yours,
    /// Everything is open, and nothing accepts yet.
    Opened,
    /// Something could not be opened.
    Failed,
    Committed,
    /// The old one has gone.
    Lost,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Say Take.
    Take,
    /// Lock the journal, read it, open everything.
    Open,
    /// Say Ready.
    SayReady,
    /// Accept, run the controllers: this is the agent now.
    Serve,
    /// End: the old one goes on.
    GiveUp,
}

impl Taker {
    pub fn handle(&mut self, heard: Heard) -> Option<Taking> {
        use State::{Failed, Greeting, Opening, Serving, Waiting};
        let (state, taking) = match (self.state, heard) {
            (Greeting, Heard::Offer) => (State::Taking, Some(Taking::Take)),
            (Greeting, Heard::Refused | Heard::Lost | Heard::Failed) => (Failed, Some(Taking::GiveUp)),
            (State::Taking, Heard::Yours) => (Opening { alone: false }, Some(Taking::Open)),
            // Whether it has given everything up nobody knows.
            (State::Taking, Heard::Refused | Heard::Lost | Heard::Failed) => (Failed, Some(Taking::GiveUp)),
            // There is nobody any more who could go on.
            (Opening { .. }, Heard::Lost) => (Opening { alone: true }, None),
            (Opening { .. }, Heard::Failed) => (Failed, Some(Taking::GiveUp)),
            (Opening { alone: false }, Heard::Opened) => (Waiting, Some(Taking::SayReady)),
            (Opening { alone: true }, Heard::Opened) => (Serving, Some(Taking::Serve)),
            // It does not part from one that is alive: it has ended.
            (Waiting, Heard::Committed | Heard::Lost) => (Serving, Some(Taking::Serve)),
            (state, _) => (state, None),
        };
        self.state = state;
        taking
    }

    /// Whether this agent decides about the cluster.
    pub fn is_agent(&self) -> bool {
        self.state == State::Serving
    }

    pub fn has_failed(&self) -> bool {
        self.state == State::Failed
    }
}
