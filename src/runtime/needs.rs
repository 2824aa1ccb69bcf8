//! What providers need from elsewhere: drivers and libraries that their packages do not bring.

use std::error::Error as _;

use libloading::Library;

use super::Provider;

/// Something that a provider needs, and what to do where it is missing.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// What it is: `cuDNN 9`.
    pub what: &'static str,
    /// Its files, as the system's loader finds them.
    files: &'static [&'static str],
    /// What to do where one is missing.
    pub remedy: &'static str,
}

const DRIVER: Need = Need {
    what: "NVIDIA driver",
    files: if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so.1"] },
    remedy: "install NVIDIA's driver, 580 or newer",
};

const CUDA: Need = Need {
    what: "CUDA 13",
    files: if cfg!(windows) {
        &["cudart64_13.dll", "cublasLt64_13.dll", "cublas64_13.dll", "curand64_10.dll", "cufft64_12.dll"]
    } else {
        &["libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcufft.so.12"]
    },
    remedy: "install CUDA 13, and have LD_LIBRARY_PATH (PATH on Windows) name its folder",
};

const CUDNN: Need = Need {
    what: "cuDNN 9",
    files: if cfg!(windows) { &["cudnn64_9.dll"] } else { &["libcudnn.so.9"] },
    remedy: "install cuDNN 9 for CUDA 13, and have LD_LIBRARY_PATH (PATH on Windows) name its folder",
};

const TENSORRT: Need = Need {
    what: "TensorRT 10",
    files: if cfg!(windows) {
        &["nvinfer_10.dll", "nvonnxparser_10.dll"]
    } else {
        &["libnvinfer.so.10", "libnvonnxparser.so.10"]
    },
    remedy: "install TensorRT 10 for CUDA 13, and have LD_LIBRARY_PATH (PATH on Windows) name its folder",
};

const VULKAN: Need = Need {
    what: "Vulkan",
    files: &["libvulkan.so.1"],
    remedy: "install the Vulkan loader and your GPU's driver (Debian, Ubuntu: libvulkan1 and mesa-vulkan-drivers)",
};

impl Provider {
    /// What the provider's pinned package needs beside it.
    pub fn needs(self) -> &'static [Need] {
        match self {
            Provider::Cuda => &[DRIVER, CUDA, CUDNN],
            Provider::TensorRt => &[DRIVER, CUDA, CUDNN, TENSORRT],
            Provider::WebGpu if cfg!(target_os = "linux") => &[VULKAN],
            _ => &[],
        }
    }
}

impl Need {
    /// Loads its files as the provider would; returns their names, or what the loader says of the first that is missing.
    pub fn check(&self) -> Result<String, String> {
        self.files.iter().try_for_each(|file| load(file))?;
        Ok(self.files.join(", "))
    }
}

#[allow(unsafe_code)] // the loader runs what a library does when it is loaded
fn load(file: &str) -> Result<(), String> {
    // SAFETY: these are the libraries that ONNX Runtime would load next, by the same names. They are never unloaded, as they
    // are not made for that.
    let library = unsafe { Library::new(file) }.map_err(|error| match error.source() {
        Some(why) => why.to_string(),
        None => format!("{file} can't be loaded"),
    })?;
    std::mem::forget(library);
    Ok(())
}
