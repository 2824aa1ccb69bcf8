//! `camloc setup`: everything camloc may need, fetched now.

use crate::runtime::Provider;
use anyhow::Result;

use super::{Context, assemble, providers, usage};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fetch also what runs models on cuda or tensorrt (256 MB), openvino (84 MB) or webgpu (7 MB); give it again for more
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
    /// Remove what was fetched for a provider, such as cuda, which then is no longer chosen by itself
    #[arg(long, value_name = "NAME", conflicts_with = "providers")]
    remove: Option<String>,
}

pub(super) fn run(args: Args, context: &Context) -> Result<()> {
    if let Some(name) = &args.remove {
        return remove(name.parse().map_err(usage)?, context);
    }
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
        if matches!(provider, Provider::Cuda | Provider::TensorRt) && !providers::has_nvidia_card() {
            report.note(format_args!(
                "there is no NVIDIA card here, so {provider} is used only where it is asked for by name; \
                 `camloc setup --remove {}` frees its space",
                provider.name()
            ));
        }
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

/// Takes away what was fetched for a provider.
fn remove(provider: Provider, context: &Context) -> Result<()> {
    let asset = providers::fetchable(provider)?;
    let store = assemble::store()?;
    let said = if store.remove(asset)? { "removed" } else { "was not fetched" };
    Ok(context.report.result(format_args!("{provider}: {said}"))?)
}
