//! Bounded queues from the reader to any number of takers; what they had to drop is counted.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::clock;
use crate::engine::lock::Bell;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::port::Port;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::proto::Event;
use crate::proto::Message;
use std::sync::Arc;

/// A message from the broker and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// When its last byte was read, since the port was opened (the time base of the transcript).
    pub at: Duration,
}

/// An event and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    /// The event.
    pub event: Event,
    /// Since the port was opened.
    pub at: Duration,
}

/// A client lost its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLost {
    /// The client.
    pub client: u8,
    /// What the module reported: `+QMTSTAT`, `+QMTPING`, `RDY`.
    pub reported: String,
    /// The documented code; `None` for a restart.
    pub code: Option<i32>,
    /// What the code means.
    pub meaning: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// Since the port was opened.
    pub at: Duration,
}

/// Something that takes room in a queue.
pub trait Weighed {
    /// Bytes it holds, about.
    fn weight(&self) -> usize;
}

impl Weighed for Received {
    fn weight(&self) -> usize {
        size_of::<Received>() + self.message.topic.len() + self.message.payload.len()
    }
}

impl Weighed for TimedEvent {
    fn weight(&self) -> usize {
        size_of::<TimedEvent>()
    }
}

impl Weighed for ConnectionLost {
    fn weight(&self) -> usize {
        size_of::<ConnectionLost>()
    }
}

/// Things not yet taken, in the batches they came in: one hand-over and at most one wake for each read.
pub struct Queue<T> {
    shelf: Lock<Shelf<T>>,
    bell: Bell,
    most: usize,
    most_bytes: usize,
}

struct Shelf<T> {
    batches: VecDeque<VecDeque<T>>,
    count: usize,
    bytes: usize,
    dropped: u64,
    waiting: usize,
}

impl<T: Weighed> Queue<T> {
    /// A queue that keeps at most so many things, and at most so many bytes of them.
    pub fn new(most: usize, most_bytes: usize) -> Queue<T> {
        let shelf = Shelf { batches: VecDeque::new(), count: 0, bytes: 0, dropped: 0, waiting: 0 };
        Queue { shelf: Lock::new(Rank::Queue, shelf), bell: Bell::default(), most: most.max(1), most_bytes }
    }

    /// Adds a batch, and drops the oldest batches where there is no room. Says how many things were dropped.
    pub fn put(&self, batch: VecDeque<T>) -> u64 {
        if batch.is_empty() {
            return 0;
        }
        let weight: usize = batch.iter().map(Weighed::weight).sum();
        let mut shelf = self.shelf.lock();
        shelf.count += batch.len();
        shelf.bytes += weight;
        shelf.batches.push_back(batch);
        let mut dropped = 0;
        while shelf.count > self.most || (shelf.bytes > self.most_bytes && shelf.count > 1) {
            let Some(oldest) = shelf.batches.front_mut() else { break };
            let thing = oldest.pop_front();
            if oldest.is_empty() {
                shelf.batches.pop_front();
            }
            if let Some(thing) = thing {
                shelf.count -= 1;
                shelf.bytes -= thing.weight();
                dropped += 1;
            }
        }
        shelf.dropped += dropped;
        let wanted = shelf.waiting > 0;
        drop(shelf);
        if wanted {
            self.bell.ring();
        }
        dropped
    }

    /// Takes up to `most` things; waits for the first. Empty when the time is over or `ended` says so.
    pub(crate) fn take(&self, most: usize, until: &Until<'_>, ended: impl Fn() -> bool) -> Result<VecDeque<T>, Error> {
        loop {
            let mut shelf = self.shelf.lock();
            if shelf.count > 0 {
                return Ok(shelf.take(most.max(1)));
            }
            let now = clock::now();
            if ended() || until.expired(now) {
                return Ok(VecDeque::new());
            }
            shelf.waiting += 1;
            self.bell.wait(&mut shelf, until.slice(now));
            shelf.waiting -= 1;
            drop(shelf);
            until.check()?;
        }
    }

    /// Wakes every taker, so that it looks whether the queue has ended.
    pub fn wake(&self) {
        // Taking the lock puts the bell behind a taker's look at `ended`.
        drop(self.shelf.lock());
        self.bell.ring();
    }

    /// Throws away what is there; it does not count as dropped.
    pub fn clear(&self) {
        let mut shelf = self.shelf.lock();
        let batches = std::mem::take(&mut shelf.batches);
        shelf.count = 0;
        shelf.bytes = 0;
        drop(shelf);
        drop(batches);
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.shelf.lock().count
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were dropped since it was made.
    pub fn dropped(&self) -> u64 {
        self.shelf.lock().dropped
    }
}

impl<T: Weighed> Shelf<T> {
    fn take(&mut self, most: usize) -> VecDeque<T> {
        let mut taken = match self.batches.front_mut() {
            Some(first) if first.len() > most => first.drain(..most).collect(),
            Some(_) => self.batches.pop_front().unwrap_or_default(),
            None => VecDeque::new(),
        };
        // Small batches are joined, so that a flood of small reads is not taken one by one.
        while let Some(next) = self.batches.front_mut() {
            if taken.len() + next.len() > most {
                break;
            }
            taken.append(next);
            self.batches.pop_front();
        }
        self.count -= taken.len();
        self.bytes -= taken.iter().map(Weighed::weight).sum::<usize>();
        taken
    }
}

/// What one subscriber has not yet taken. Dropping it ends the subscription.
pub struct Subscription {
    pub(crate) queue: Arc<Queue<TimedEvent>>,
    pub(crate) port: Arc<Port>,
}

impl Subscription {
    /// Takes up to `most` events; waits for the first; empty when the time is over. The error of the port once it has
    /// ended and everything was taken.
    pub fn take(&self, most: usize, wait: Wait<'_>) -> Result<Vec<TimedEvent>, Error> {
        let until = wait.until_or_never();
        let taken = self.queue.take(most, &until, || self.port.has_ended())?;
        if taken.is_empty() {
            self.port.still_open()?;
        }
        Ok(taken.into())
    }

    /// How many were dropped because nobody took them.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Weight(usize);

    impl Weighed for Weight {
        fn weight(&self) -> usize {
            self.0
        }
    }

    fn batch(weights: &[usize]) -> VecDeque<Weight> {
        weights.iter().map(|weight| Weight(*weight)).collect()
    }

    fn taken(queue: &Queue<Weight>, most: usize) -> Vec<usize> {
        let until = Wait::at_most(Duration::ZERO).until_or_never();
        let things = queue.take(most, &until, || false).expect("no hook");
        things.into_iter().map(|thing| thing.0).collect()
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room_and_are_counted() {
        let queue = Queue::new(3, 1000);
        assert_eq!(0, queue.put(batch(&[1, 2])));
        assert_eq!(1, queue.put(batch(&[3, 4])));
        assert_eq!(1, queue.dropped());
        assert_eq!(vec![2, 3, 4], taken(&queue, 9));
    }

    #[test]
    fn bytes_are_bounded_but_one_thing_always_fits() {
        let queue = Queue::new(100, 10);
        assert_eq!(2, queue.put(batch(&[4, 4, 4, 6])));
        assert_eq!(vec![4, 6], taken(&queue, 9));
        assert_eq!(0, queue.put(batch(&[400])));
        assert_eq!(vec![400], taken(&queue, 9));
    }

    #[test]
    fn a_batch_is_cut_and_small_ones_are_joined_in_order() {
        let queue = Queue::new(100, 1000);
        queue.put(batch(&[1, 2, 3]));
        queue.put(batch(&[4]));
        queue.put(batch(&[5, 6]));
        assert_eq!(vec![1, 2], taken(&queue, 2));
        assert_eq!(vec![3, 4], taken(&queue, 3));
        assert_eq!(vec![5, 6], taken(&queue, 3));
        assert_eq!(Vec::<usize>::new(), taken(&queue, 3));
        assert!(queue.is_empty());
    }
}
