//! One fault as it was asked for: a row of the table and its parameters, checked.

use std::fmt;
use std::time::Duration;

use crate::dialect::schema::Dialect;
use crate::error::Error;
use crate::error::Kind;
use crate::virtual_module::faults::packets;
use crate::virtual_module::faults::table::Effect;
use crate::virtual_module::faults::table::FAULTS;
use crate::virtual_module::faults::table::FaultRow;
use crate::virtual_module::params;
use crate::virtual_module::params::Values;

/// A fault with its parameters.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) row: &'static FaultRow,
    values: Values,
}

impl Fault {
    /// Takes a fault as it is written, for a module of this dialect. The error says what there is.
    pub fn parse(text: &str, dialect: &Dialect) -> Result<Fault, Error> {
        let (name, rest) = params::split(text);
        let row = row(name)?;
        let values = Values::parse(format!("fault {name}"), row.params, rest, dialect)?;
        let fault = Fault { row, values };
        if let (Effect::ChangePacket, Some(field), Some(value)) =
            (row.effect, fault.text("field"), fault.values.given("value"))
            && !packets::fits(field, value)
        {
            return Err(bad(format!("fault {name}: {field} cannot be {value:?}")));
        }
        Ok(fault)
    }

    /// `late_answer`
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    pub(in crate::virtual_module) fn effect(&self) -> Effect {
        self.row.effect
    }

    /// A parameter as text.
    pub(in crate::virtual_module) fn text(&self, param: &str) -> Option<&str> {
        self.values.text(param)
    }

    /// A parameter that is a number.
    pub(in crate::virtual_module) fn number(&self, param: &str) -> Option<i64> {
        self.values.number(param)
    }

    /// A parameter in milliseconds; real ones, which the module's speed does not shorten.
    pub(in crate::virtual_module) fn span(&self, param: &str) -> Duration {
        self.values.span(param)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.row.name, self.values)
    }
}

/// Whether there is such a fault; the error lists those that exist.
pub(in crate::virtual_module) fn known(name: &str) -> Result<(), Error> {
    row(name).map(|_| ())
}

fn row(name: &str) -> Result<&'static FaultRow, Error> {
    FAULTS.iter().find(|row| row.name == name).ok_or_else(|| {
        let all: Vec<&str> = FAULTS.iter().map(|row| row.name).collect();
        bad(format!("there is no fault {name:?}")).with_remedy(format!("one of: {}", all.join(", ")))
    })
}

fn bad(message: String) -> Error {
    Error::new(Kind::BadValue, message)
}
