//! The worker's large buffers.
//!
//! A connection holds none while it waits: a buffer is taken when there is something to read or to seal and
//! goes back when that is done, so ten thousand idle connections cost what one costs. The pool is the
//! thread's and last in, first out: the next user finds the memory still in the processor's cache.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;

/// What one system call reads of an application, and the largest piece that a frame carries.
pub(crate) const CHUNK: usize = 256 * 1024;
/// Size of a buffer: a chunk with its frame's and its records' headers, so that it leaves in one piece.
pub(crate) const SIZE: usize = CHUNK + 8 * 1024;
/// What is read but fits here is copied out, so that a few bytes do not keep a whole buffer.
const COPY_BELOW: usize = 16 * 1024;
/// Buffers that a thread keeps. More were needed only while many peers were slow at once.
const KEEP: usize = 8;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`SIZE`] initialised bytes that goes back to its thread's pool.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    /// Takes one. The content is what its last user left.
    pub(crate) fn take() -> Self {
        let pooled = POOL.with_borrow_mut(Vec::pop);
        Self(pooled.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice()))
    }

    /// The first `len` bytes, without copying if there are many.
    pub(crate) fn into_bytes(self, len: usize) -> Bytes {
        if len < COPY_BELOW {
            return Bytes::copy_from_slice(&self[..len]);
        }
        Bytes::from_owner(Filled { buffer: self, len })
    }
}

/// Gives back what a burst left in this thread's pool.
pub(crate) fn trim() {
    POOL.with_borrow_mut(|pool| pool.truncate(1));
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // The pool is gone when the thread is: then the memory just goes.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEEP {
                pool.push(buffer);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

struct Filled {
    buffer: Buffer,
    len: usize,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_do_not_keep_a_buffer_and_many_are_not_copied() {
        let buffer = Buffer::take();
        let place = buffer.as_ptr();
        let few = buffer.into_bytes(10);
        assert_ne!(few.as_ptr(), place);
        let again = Buffer::take();
        assert_eq!(again.as_ptr(), place, "it went back at once");
        let many = again.into_bytes(SIZE);
        assert_eq!(many.as_ptr(), place);
        drop(many);
        assert_eq!(Buffer::take().as_ptr(), place);
    }
}
