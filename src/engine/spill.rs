//! Where queries put aside what does not fit their memory: files without a name, which the system removes together with
//! the process, however that ends.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;

/// Bytes that are read back together.
const PART: usize = 256 * 1024;

/// The disk of queries that spill into files without a name in an existing directory.
pub fn spilling_into(dir: PathBuf) -> DiskManagerBuilder {
    DiskManagerBuilder::default().with_mode(DiskManagerMode::Custom(Arc::new(Nameless { dir })))
}

/// Makes files without a name.
struct Nameless {
    dir: PathBuf,
}

impl TempFileFactory for Nameless {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = tempfile::tempfile_in(&self.dir).map_err(|error| {
            let context = format!("no temporary file in {} for {description}", self.dir.display());
            DataFusionError::IoError(error).context(context)
        })?;
        Ok(Arc::new(Spilled { file: Arc::new(file), size: Arc::default() }))
    }
}

/// What was put aside together.
struct Spilled {
    file: Arc<File>,
    size: Arc<AtomicU64>,
}

impl SpillFile for Spilled {
    fn size(&self) -> Option<u64> {
        Some(self.size.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let parts = futures::stream::try_unfold((Arc::clone(&self.file), 0), |(file, offset)| async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut part = vec![0; PART];
                let read = read_at(&file, &mut part, offset)?;
                part.truncate(read);
                Ok::<_, std::io::Error>((file, part))
            });
            let (file, part) = read.await.map_err(|error| DataFusionError::External(Box::new(error)))??;
            if part.is_empty() {
                return Ok(None);
            }
            let next = offset + part.len() as u64;
            Ok(Some((Bytes::from(part), (file, next))))
        });
        Ok(Box::pin(parts))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer { file: Arc::clone(&self.file), size: Arc::clone(&self.size) }))
    }
}

/// Several read one file, each from its own place.
#[cfg(unix)]
fn read_at(file: &File, part: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, part, offset)
}

#[cfg(windows)]
fn read_at(file: &File, part: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, part, offset)
}

/// Adds to a file, before anybody reads it.
struct Writer {
    file: Arc<File>,
    size: Arc<AtomicU64>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = (&*self.file).write(bytes)?;
        self.size.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        (&*self.file).flush()
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(self.flush()?)
    }
}
