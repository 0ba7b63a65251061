//! The catalogue as text for people.

use crate::dialect::schema::Dialect;

impl Dialect {
    /// The whole dialect as a reference to read in a terminal.
    pub fn reference(&self) -> String {
        self.document.title.clone()
    }
}
