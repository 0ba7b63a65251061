//! The engine's locks: they do not poison, they have a rank, and a test build checks the order on every take.
//!
//! A thread may take a lock only when its rank is above that of every lock it holds. None is held across a wait, a blocking
//! call or the caller's hook; [`Rank::Transmit`] alone is held across a system call, a non-blocking write.

use std::ops::Deref;
use std::ops::DerefMut;
use std::time::Duration;

/// The order in which locks may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Whose turn it is to have a command line on the wire.
    Turn,
    /// Who reads the port.
    Baton,
    /// The protocol state of the port.
    Protocol,
    /// The state of one client.
    Client,
    /// One exchange: a command, its lines, its results.
    Exchange,
    /// Messages and events not yet taken.
    Queue,
    /// Bytes not yet written, and the way to write them.
    Transmit,
    /// What was said.
    Trace,
    /// The count of things that happened.
    Signal,
    /// Why the port ended, and the wait for its line; held for a copy only.
    End,
}

/// A lock with a rank.
pub struct Lock<T> {
    rank: Rank,
    inner: parking_lot::Mutex<T>,
}

/// Holds a [`Lock`].
pub struct Held<'a, T> {
    guard: parking_lot::MutexGuard<'a, T>,
    #[cfg(debug_assertions)]
    rank: Rank,
}

impl<T> Lock<T> {
    /// A lock of this rank.
    pub fn new(rank: Rank, value: T) -> Lock<T> {
        Lock { rank, inner: parking_lot::Mutex::new(value) }
    }

    /// Takes the lock.
    pub fn lock(&self) -> Held<'_, T> {
        #[cfg(debug_assertions)]
        order::enter(self.rank);
        Held {
            guard: self.inner.lock(),
            #[cfg(debug_assertions)]
            rank: self.rank,
        }
    }

    /// The rank.
    pub fn rank(&self) -> Rank {
        self.rank
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(debug_assertions)]
impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        order::leave(self.rank);
    }
}

/// Wakes threads that wait on a [`Held`] lock.
#[derive(Default)]
pub struct Bell(parking_lot::Condvar);

impl Bell {
    /// Lets the lock go until rung or until the time is over; without a time until rung. May wake early.
    pub fn wait<T>(&self, held: &mut Held<'_, T>, most: Option<Duration>) {
        match most {
            Some(most) => {
                self.0.wait_for(&mut held.guard, most);
            }
            None => self.0.wait(&mut held.guard),
        }
    }

    /// Wakes everyone.
    pub fn ring(&self) {
        self.0.notify_all();
    }

    /// Wakes one.
    pub fn ring_one(&self) {
        self.0.notify_one();
    }
}

#[cfg(debug_assertions)]
mod order {
    use std::cell::RefCell;

    use super::Rank;

    thread_local! {
        static HELD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    pub fn enter(rank: Rank) {
        HELD.with_borrow_mut(|held| {
            let broken = held.iter().find(|other| **other >= rank);
            assert!(broken.is_none(), "lock order: {rank:?} taken while {broken:?} is held");
            held.push(rank);
        });
    }

    pub fn leave(rank: Rank) {
        HELD.with_borrow_mut(|held| {
            if let Some(position) = held.iter().rposition(|other| *other == rank) {
                held.remove(position);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_taken_in_the_order_of_their_ranks() {
        let low = Lock::new(Rank::Protocol, 1);
        let high = Lock::new(Rank::Trace, 2);
        let (a, b) = (low.lock(), high.lock());
        assert_eq!(3, *a + *b);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "lock order")]
    fn the_wrong_order_is_found() {
        let low = Lock::new(Rank::Protocol, 1);
        let high = Lock::new(Rank::Trace, 2);
        let _first = high.lock();
        let _second = low.lock();
    }
}
