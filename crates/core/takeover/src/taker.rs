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
    /// Reads the journal and opens everything.
    Opening,
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
    /// Accept, say Serving, run the controllers: this is the agent now.
    Serve,
    /// End: the old one goes on.
    GiveUp,
}

impl Taker {
    pub fn handle(&mut self, heard: Heard) -> Option<Taking> {
        use State::{Failed, Greeting, Opening, Serving};
        let (state, taking) = match (self.state, heard) {
            (Greeting, Heard::Offer) => (State::Taking, Some(Taking::Take)),
            (Greeting, Heard::Refused | Heard::Lost | Heard::Failed) => (Failed, Some(Taking::GiveUp)),
            (State::Taking, Heard::Yours) => (Opening, Some(Taking::Open)),
            // Whether it has given everything up nobody knows.
            (State::Taking, Heard::Refused | Heard::Lost | Heard::Failed) => (Failed, Some(Taking::GiveUp)),
            (Opening, Heard::Failed) => (Failed, Some(Taking::GiveUp)),
            // Should the old one have gone meanwhile, there is nobody else.
            (Opening, Heard::Opened) => (Serving, Some(Taking::Serve)),
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
