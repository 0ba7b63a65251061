//! What a publish returns at once: the promise of its late result.

use crate::engine::reply::LateResult;
use crate::engine::wait::Wait;
use crate::error::Error;

/// The promise of the result of one publish. Dropping it forgets the result, not the publish.
#[derive(Clone)]
pub struct Receipt {}

impl Receipt {
    /// Waits for the result; the same answer every time.
    pub fn wait(&self, wait: Wait<'_>) -> Result<LateResult, Error> {
        let _ = wait;
        todo!("receipts")
    }

    /// The result, if it came.
    pub fn result(&self) -> Option<Result<LateResult, Error>> {
        todo!("receipts")
    }

    /// The packet identifier; 0 for QoS 0.
    pub fn msgid(&self) -> u16 {
        todo!("receipts")
    }
}
