//! What went wrong, whose fault it is, and what to do: the one error type of the host and device sides.
//!
//! It is a plain value. It knows no port, no lock and no Python; the engine fills it, the bindings turn it into exceptions.

use std::fmt;
use std::ops::Deref;
use std::ops::DerefMut;
use std::time::Duration;

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The program that called us.
    Caller,
    /// The module.
    Module,
    /// The network, the broker, or the way to it.
    Network,
    /// The line between this computer and the module.
    Link,
    /// This package.
    Bug,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A value no document allows; refused before the wire.
    BadValue,
    /// The dialect has no such thing.
    Unsupported,
    /// The caller's interruption hook ended the wait (Ctrl-C).
    Interrupted,
    /// The module answered `ERROR` or its like.
    CommandRefused,
    /// A late result reported a failure.
    RequestFailed,
    /// The module restarted, and the request went with it.
    ModuleRestarted,
    /// The broker refused the connection or the request.
    BrokerRefused,
    /// The connection to the broker is gone.
    ConnectionLost,
    /// The socket to the broker could not be opened.
    OpenFailed,
    /// There is no such port.
    PortMissing,
    /// The port may not be used by this user.
    PortForbidden,
    /// Another program holds the port.
    PortBusy,
    /// The port vanished while in use.
    PortGone,
    /// Nothing came in time.
    NoAnswer,
    /// The port was closed by this program.
    PortClosed,
    /// What came makes no sense, or it is no longer known whose answer a line is.
    Garbled,
    /// Nothing that was tried brought the module back.
    RecoveryFailed,
    /// A rule of ours is broken.
    Internal,
}

impl Kind {
    /// Whose fault an error of this kind is.
    pub fn fault(self) -> Fault {
        match self {
            Kind::BadValue | Kind::Unsupported | Kind::Interrupted => Fault::Caller,
            Kind::CommandRefused | Kind::RequestFailed | Kind::ModuleRestarted => Fault::Module,
            Kind::BrokerRefused | Kind::ConnectionLost | Kind::OpenFailed => Fault::Network,
            Kind::PortMissing
            | Kind::PortForbidden
            | Kind::PortBusy
            | Kind::PortGone
            | Kind::NoAnswer
            | Kind::PortClosed
            | Kind::Garbled
            | Kind::RecoveryFailed => Fault::Link,
            Kind::Internal => Fault::Bug,
        }
    }
}

/// An error; its details are public fields, reached through `Deref`.
#[derive(Clone)]
pub struct Error(Box<Details>);

/// Everything known about an error.
#[derive(Clone, Debug)]
pub struct Details {
    /// Whose fault.
    pub fault: Fault,
    /// What went wrong.
    pub kind: Kind,
    /// One sentence for a person; never holds a secret.
    pub message: String,
    /// What was awaited.
    pub awaited: Option<String>,
    /// For how long.
    pub waited: Option<Duration>,
    /// The code the module gave.
    pub code: Option<i64>,
    /// The documented meaning of the code.
    pub meaning: Option<String>,
    /// What the document, or we, say to do.
    pub remedy: Option<String>,
    /// Document and section.
    pub source: Option<String>,
    /// The last lines exchanged, `> ` sent and `< ` received, secrets covered.
    pub last_lines: Vec<String>,
    /// The port.
    pub port: Option<String>,
}

impl Error {
    /// An error of a kind, with its sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error(Box::new(Details {
            fault: kind.fault(),
            kind,
            message: message.into(),
            awaited: None,
            waited: None,
            code: None,
            meaning: None,
            remedy: None,
            source: None,
            last_lines: Vec::new(),
            port: None,
        }))
    }

    /// Says what was awaited, and for how long.
    pub fn awaiting(mut self, awaited: impl Into<String>, waited: Duration) -> Error {
        self.awaited = Some(awaited.into());
        self.waited = Some(waited);
        self
    }

    /// Says which code the module gave.
    pub fn with_code(mut self, code: i64) -> Error {
        self.code = Some(code);
        self
    }

    /// Says what the code means.
    pub fn with_meaning(mut self, meaning: impl Into<String>) -> Error {
        self.meaning = Some(meaning.into());
        self
    }

    /// Says what to do.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Error {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says which document and section.
    pub fn with_source(mut self, source: impl Into<String>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// Says which port, and what was said on it last.
    pub fn on_port(mut self, port: impl Into<String>, last_lines: Vec<String>) -> Error {
        self.port = Some(port.into());
        if self.last_lines.is_empty() {
            self.last_lines = last_lines;
        }
        self
    }
}

impl Deref for Error {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let (Some(awaited), Some(waited)) = (&self.awaited, self.waited) {
            write!(f, "; awaited {awaited} for {:.3} s", waited.as_secs_f64())?;
        }
        if let Some(meaning) = &self.meaning {
            write!(f, "; {meaning}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        if let Some(port) = &self.port {
            write!(f, " [{port}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_what_was_awaited_and_the_remedy() {
        let error = Error::new(Kind::NoAnswer, "AT+QMTOPEN got no result")
            .awaiting("+QMTOPEN", Duration::from_millis(1500))
            .with_remedy("check the antenna")
            .on_port("/dev/ttyUSB2", vec![]);
        let expected = "AT+QMTOPEN got no result; awaited +QMTOPEN for 1.500 s; check the antenna [/dev/ttyUSB2]";
        assert_eq!(expected, error.to_string());
        assert_eq!(Fault::Link, error.fault);
    }

    #[test]
    fn the_first_tail_of_lines_is_kept() {
        let error = Error::new(Kind::Garbled, "x").on_port("a", vec!["> AT".into()]).on_port("a", vec![]);
        assert_eq!(vec!["> AT".to_string()], error.last_lines);
    }
}
