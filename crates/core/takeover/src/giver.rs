//! The side of the agent that runs.

use crate::message::{Hello, PROTOCOL, Refusal};

/// Whoever may be taken over from. One takeover at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver {
    user: u32,
    me: Hello,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    /// By this process; it has not said Take yet.
    Asked(u32),
    /// The faces are being ended and the journal closed; whether the new one has gone meanwhile.
    Closing(u32, bool),
    /// The journal belongs to the new one.
    Given(u32),
    /// The new one was told to die, and may still hold the journal.
    Killing(u32),
    /// Gets the journal back.
    Resuming,
    Retired,
}

/// What the giver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// By a process that has just connected, which runs as this user.
    Hello {
        hello: Hello,
        process: u32,
        user: u32,
    },
    Take,
    /// Faces and controllers have ended, the journal is closed.
    Closed,
    Serving,
    /// The new one has gone, or said what makes no sense.
    Lost,
    /// It has taken too long.
    Expired,
    /// The journal is this agent's again, and everything runs.
    Resumed,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Giving {
    /// Say so and close the connection.
    Refuse(Refusal),
    /// Say what there is.
    Offer,
    /// End the faces and the controllers, close the journal, give its lock up. The gateway goes on.
    Close,
    /// Hand the sockets over, and say Yours.
    Give,
    /// Accept nothing more, end what is in flight, and then end.
    Retire,
    /// Send it SIGKILL: it must not write any more.
    Kill,
    /// Close the connection: nothing was done.
    Part,
    /// Take the lock as soon as it is free, read the journal, run everything again.
    Resume,
}

impl Giver {
    /// The agent runs as this user, and would say `me` itself.
    pub fn new(user: u32, me: Hello) -> Giver {
        Giver { user, me, state: State::Serving }
    }

    pub fn handle(&mut self, told: Told) -> Option<Giving> {
        use State::{Asked, Closing, Given, Killing, Resuming, Retired, Serving};
        let (state, giving) = match (self.state, told) {
            (state, Told::Hello { hello, process, user }) => {
                return Some(self.greet(state, &hello, process, user));
            }
            (Asked(process), Told::Take) => (Closing(process, false), Some(Giving::Close)),
            (Asked(_), Told::Lost | Told::Expired) => (Serving, Some(Giving::Part)),
            (Closing(process, _), Told::Lost) => (Closing(process, true), None),
            (Closing(process, false), Told::Closed) => (Given(process), Some(Giving::Give)),
            (Closing(_, true), Told::Closed) => (Resuming, Some(Giving::Resume)),
            (Given(_), Told::Serving) => (Retired, Some(Giving::Retire)),
            (Given(process), Told::Expired) => (Killing(process), Some(Giving::Kill)),
            (Given(_) | Killing(_), Told::Lost) => (Resuming, Some(Giving::Resume)),
            (Resuming, Told::Resumed) => (Serving, None),
            (state, _) => (state, None),
        };
        self.state = state;
        giving
    }

    fn greet(&mut self, state: State, hello: &Hello, process: u32, user: u32) -> Giving {
        if let Err(refusal) = self.check(state, hello, user) {
            return Giving::Refuse(refusal);
        }
        self.state = State::Asked(process);
        Giving::Offer
    }

    fn check(&self, state: State, hello: &Hello, user: u32) -> Result<(), Refusal> {
        let me = &self.me;
        if user != self.user {
            return Err(Refusal::User { ours: self.user, theirs: user });
        }
        if hello.protocol != PROTOCOL {
            return Err(Refusal::Protocol { ours: PROTOCOL, theirs: hello.protocol });
        }
        if hello.data != me.data {
            return Err(Refusal::Data);
        }
        if hello.node != me.node {
            return Err(Refusal::Node { ours: me.node.clone(), theirs: hello.node.clone() });
        }
        match state {
            State::Serving => Ok(()),
            State::Asked(process)
            | State::Closing(process, _)
            | State::Given(process)
            | State::Killing(process) => Err(Refusal::Busy(process)),
            State::Resuming => Err(Refusal::Busy(0)),
            State::Retired => Err(Refusal::Over),
        }
    }

    /// Whether this agent decides about the cluster: runs controllers, writes the journal.
    pub fn is_agent(&self) -> bool {
        matches!(self.state, State::Serving | State::Asked(_))
    }

    pub fn is_retired(&self) -> bool {
        self.state == State::Retired
    }
}
