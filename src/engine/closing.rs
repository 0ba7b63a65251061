//! The end of the work on a real module: it is left as it was found.

use std::time::Duration;

use crate::engine::client::Client;
use crate::engine::commands::Goal;
use crate::engine::identity::plain;
use crate::engine::modem::Modem;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;

/// How long leaving everything as found may take in all.
const LEAVING: Duration = Duration::from_secs(10);

impl Modem {
    /// Leaves the module as found (clients closed, settings restored, echo as it was; bounded) and closes the port. The
    /// port is closed whatever happens; what could not be restored is the error.
    pub fn close_gracefully(&self, wait: Wait<'_>) -> Result<(), Error> {
        if self.is_closed() {
            self.close();
            return Ok(());
        }
        let until = wait.until(LEAVING);
        let left = self.leave(&until);
        self.close();
        match left {
            // A port that is gone needs no leaving.
            Err(error) if matches!(error.kind, Kind::PortGone | Kind::PortClosed) => Ok(()),
            other => other,
        }
    }

    fn leave(&self, until: &Until<'_>) -> Result<(), Error> {
        let mut first_error = Ok(());
        let mut note = |outcome: Result<(), Error>| match outcome {
            Err(error) if first_error.is_ok() => first_error = Err(error),
            _ => {}
        };
        for index in 0..self.clients() {
            let Ok(client) = self.client(index) else { continue };
            note(self.leave_client(&client, until));
        }
        note(self.restore_tls(until));
        if self.echo_found {
            note(self.shared().execute(plain("ATE1"), until, Goal::Accepted).map(|_| ()));
        }
        first_error
    }

    fn leave_client(&self, client: &Client, until: &Until<'_>) -> Result<(), Error> {
        let (ours, changed, acquired) = {
            let facts = client.slot().facts.lock();
            (facts.ours, !facts.found.is_empty(), facts.acquired)
        };
        if ours || acquired {
            let left = until.deadline.map(|at| at.saturating_duration_since(crate::engine::clock::now()));
            let wait = Wait { timeout: left, interrupt: until.interrupt };
            if client.state() == crate::client::ClientState::Connected {
                // The broker must not publish the will of a client that leaves on purpose.
                client.disconnect(wait)?;
            }
            client.close(wait)?;
        }
        if changed && client.is_quiet() {
            client.restore_settings(until)?;
        }
        Ok(())
    }
}
