//! A writer that keeps a frame together: what ratatui flushes in the middle of it, to move the cursor, waits for its end.
//! One write for a frame is cheaper for whoever shows it, too.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// As much of a frame as is kept before it is written.
const LARGEST: usize = 64 * 1024;

/// Whether a frame is being drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawing(Arc<AtomicBool>);

impl Drawing {
    /// A frame begins, or has come to its end.
    pub fn set(&self, drawing: bool) {
        self.0.store(drawing, Ordering::Relaxed);
    }
}

/// The writer.
pub struct Whole<W: Write> {
    out: BufWriter<W>,
    drawing: Drawing,
}

impl<W: Write> Whole<W> {
    pub fn new(out: W, drawing: &Drawing) -> Self {
        Self { out: BufWriter::with_capacity(LARGEST, out), drawing: drawing.clone() }
    }
}

impl<W: Write> Write for Whole<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.drawing.0.load(Ordering::Relaxed) { Ok(()) } else { self.out.flush() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for &mut Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_is_written_at_once() {
        let (drawing, mut writes) = (Drawing::default(), Writes::default());
        let mut whole = Whole::new(&mut writes, &drawing);
        drawing.set(true);
        for piece in ["one", "two", "three"] {
            whole.write_all(piece.as_bytes()).unwrap();
            whole.flush().unwrap();
        }
        drawing.set(false);
        whole.flush().unwrap();
        drop(whole);
        assert_eq!(writes.0, [b"onetwothree"]);
    }
}
