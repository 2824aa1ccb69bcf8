//! `camloc setup`: everything camloc may need, fetched now.

use anyhow::Result;

use super::{Context, assemble};

pub(super) fn run(context: &Context) -> Result<()> {
    let store = assemble::store()?;
    assemble::library(&store, &context.report)?;
    assemble::default_classifier(&store, &context.report)?;
    assemble::sample_photos(&store, &context.report)?;
    let ffmpeg = assemble::ffmpeg(&store, &context.report)?;
    context.report.note(format_args!(
        "ready; assets are in {}, ffmpeg is {}",
        store.dir().display(),
        ffmpeg.display()
    ));
    Ok(())
}
