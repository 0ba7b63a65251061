//! The catalogue as one JSON object.

use serde_json::Value;

use crate::dialect::schema::Dialect;

impl Dialect {
    /// The whole dialect; absent keys mean "the document says nothing".
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "document": { "id": self.id } })
    }
}
