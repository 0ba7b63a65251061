//! Transcripts that play a module, and recordings of a real one, for Python.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::bindings::logging;
use crate::bindings::wait;
use crate::engine::RecordOptions;
use crate::engine::Recorder;
use crate::engine::clock;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::replay::Mismatch;
use crate::replay::ReplayEndpoint;
use crate::replay::ReplayModule;
use crate::replay::ReplayOptions;
use crate::replay::Script;
use crate::transcript::FormatError;

/// What is wrong, what was asked, what the file had next, all of it as a sentence.
type MismatchTuple = (&'static str, String, Option<String>, String);

/// A transcript that answers as the recorded module did.
#[pyclass(frozen, module = "modemrig._native", name = "ReplayModule")]
pub struct NativeReplayModule {
    path: String,
    /// Locked to stop it, which joins its thread; that thread never needs the interpreter.
    module: Mutex<ReplayModule>,
}

#[pymethods]
impl NativeReplayModule {
    /// `file` is a path where `text` is `None`, else the name of that text.
    #[new]
    #[pyo3(signature = (file, text, times, any_payload, link, tcp))]
    fn start(
        py: Python<'_>,
        file: PathBuf,
        text: Option<String>,
        times: bool,
        any_payload: bool,
        link: Option<PathBuf>,
        tcp: bool,
    ) -> PyResult<NativeReplayModule> {
        logging::install(py)?;
        let name = file.display().to_string();
        let script = match text {
            Some(text) => py.detach(|| Script::read(text.as_bytes(), any_payload)),
            None => {
                let file = py.detach(|| File::open(file))?;
                py.detach(|| Script::read(BufReader::new(file), any_payload))
            }
        };
        let broken =
            |error: FormatError| Error::new(Kind::BadValue, format!("{name}, line {}: {}", error.line, error.reason));
        let endpoint = if tcp { ReplayEndpoint::Tcp } else { ReplayEndpoint::Pty { link } };
        let options = ReplayOptions { times, any_payload };
        let module = wait::brief(py, || ReplayModule::start(script.map_err(broken)?, options, &endpoint))?;
        Ok(NativeReplayModule { path: module.path().to_owned(), module: Mutex::new(module) })
    }

    fn path(&self) -> &str {
        &self.path
    }

    /// Mismatches, what is left, how many exchanges there are, whether the file is through.
    fn state(&self, py: Python<'_>) -> (Vec<MismatchTuple>, Vec<String>, usize, bool) {
        let state = py.detach(|| self.module.lock().state());
        logging::drain(py);
        let told = |mismatch: Mismatch| {
            let sentence = mismatch.to_string();
            (mismatch.wrong.name(), mismatch.asked, mismatch.expected, sentence)
        };
        (state.mismatches.into_iter().map(told).collect(), state.left, state.exchanges, state.finished)
    }

    #[pyo3(signature = (timeout_s=None))]
    fn wait(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<bool> {
        wait::blocking(py, timeout_s, |wait| until(wait, |slice| self.module.lock().wait_finished(slice)))
    }

    #[pyo3(signature = (timeout_s=None))]
    fn wait_closed(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<bool> {
        wait::blocking(py, timeout_s, |wait| until(wait, |slice| self.module.lock().wait_closed(slice)))
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.module.lock().stop());
        logging::drain(py);
    }
}

/// A recording under way.
#[pyclass(frozen, module = "modemrig._native", name = "Recorder")]
pub struct NativeRecorder {
    path: String,
    file: PathBuf,
    /// Locked to stop it, which joins its thread; that thread never needs the interpreter.
    recorder: Mutex<Recorder>,
}

#[pymethods]
impl NativeRecorder {
    #[new]
    #[pyo3(signature = (target, out, baud, link, tcp, shown_as, timeout_s=None))]
    #[allow(clippy::too_many_arguments)] // The facade gives them names.
    fn start(
        py: Python<'_>,
        target: &str,
        out: PathBuf,
        baud: u32,
        link: Option<PathBuf>,
        tcp: bool,
        shown_as: Option<String>,
        timeout_s: Option<f64>,
    ) -> PyResult<NativeRecorder> {
        logging::install(py)?;
        let options = RecordOptions { baud, out, link, tcp, shown_as };
        let recorder = wait::blocking(py, timeout_s, |wait| Recorder::start(target, &options, wait))?;
        Ok(NativeRecorder {
            path: recorder.path().to_owned(),
            file: recorder.file().to_path_buf(),
            recorder: Mutex::new(recorder),
        })
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// Bytes of the program and of the module so far.
    fn counts(&self, py: Python<'_>) -> (u64, u64) {
        py.detach(|| self.recorder.lock().counts())
    }

    /// Waits for the end that nobody asked for; whether it came. Raises what it was.
    #[pyo3(signature = (timeout_s=None))]
    fn wait(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<bool> {
        wait::blocking(py, timeout_s, |wait| {
            let ended = until(wait, |slice| self.recorder.lock().wait_ended(slice))?;
            self.recorder.lock().fault().map_or(Ok(ended), Err)
        })
    }

    /// Raises what went wrong before, if anything did.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        wait::brief(py, || {
            let mut recorder = self.recorder.lock();
            recorder.stop();
            recorder.fault().map_or(Ok(()), Err)
        })
    }
}

/// Waits in slices, so that Python's signal handlers run and nobody holds a lock for long.
fn until(wait: Wait<'_>, done: impl Fn(Instant) -> bool) -> Result<bool, Error> {
    let until: Until<'_> = wait.until_or_never();
    loop {
        let now = clock::now();
        if done(now + until.slice(now).unwrap_or(Duration::from_secs(1))) {
            return Ok(true);
        }
        until.check()?;
        if until.expired(clock::now()) {
            return Ok(false);
        }
    }
}
