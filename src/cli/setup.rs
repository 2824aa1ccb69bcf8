//! `camloc setup`: everything camloc may need, fetched now.

use anyhow::Result;
use camloc::runtime::Provider;

use super::{Context, assemble, providers, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fetch also what runs models on cuda or tensorrt (256 MB), openvino (84 MB) or webgpu (7 MB); give it again for more
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    let wished = args.providers.iter().map(|name| name.parse().map_err(usage));
    let wished: Vec<Provider> = wished.collect::<Result<_>>()?;
    let assets = wished.iter().map(|&provider| providers::fetchable(provider)).collect::<Result<Vec<_>>>()?;
    let (store, report) = (assemble::store()?, &context.report);
    for (provider, asset) in wished.iter().zip(assets) {
        let place = assemble::fetch(&store, asset, report)?;
        report.note(format_args!(
            "{provider} is in {}; `camloc doctor --provider {}` tries it",
            place.display(),
            provider.name()
        ));
    }
    assemble::library(&context.settings, &store, report)?;
    assemble::default_classifier(&store, report)?;
    assemble::sample_photos(&store, report)?;
    let ffmpeg = assemble::ffmpeg(&store, report)?;
    report.note(format_args!(
        "ready; assets are in {}, ffmpeg is {}",
        store.dir().display(),
        ffmpeg.display()
    ));
    Ok(())
}
