//! What ffmpeg may open, by what the user named: a file leads to no address, and nothing leads to another file.

/// Containers and streams that hold what they show. None of them names other files or addresses, as playlists (HLS,
/// DASH, concat, SDP) do; a name with a pattern (`image2`) is none either. Sound is there to be told from video.
const CONTAINERS: &str = "mov,matroska,avi,mpegts,mpegtsraw,mpeg,flv,live_flv,asf,asf_o,ogg,mxf,mxf_opatom,nut,gxf,rm,dv,wtv,\
ivf,obu,av1,h264,hevc,vvc,evc,m4v,mpegvideo,mjpeg,mjpeg_2000,mpjpeg,vc1,vc1test,h263,h261,dirac,avs2,avs3,cavsvideo,dnxhd,\
yuv4mpegpipe,apng,gif,webp_anim,jpegxl_anim,swf,3g2,amr,nsv,nuv,ffm,lmlm4,mtv,mv,pva,r3d,rl2,roq,smjpeg,smk,vob,flic,cine,\
mp3,aac,flac,wav,ac3,eac3,aiff,au,caf,w64,dts,truehd,\
png_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif_pipe,qoi_pipe,j2k_pipe,psd_pipe,exr_pipe,hdr_pipe,\
ppm_pipe,pgm_pipe,pbm_pipe,pam_pipe,pgmyuv_pipe,dpx_pipe,sgi_pipe,pcx_pipe,xbm_pipe,xpm_pipe,xwd_pipe";

/// Protocols and formats, as ffmpeg's whitelists take them.
#[derive(Debug, PartialEq)]
pub(super) struct Permit {
    pub(super) protocols: &'static str,
    pub(super) formats: String,
}

impl Permit {
    /// For a file (`None`), or for a URL of this scheme, in lower case.
    pub(super) fn of(scheme: Option<&str>) -> Permit {
        let (protocols, more) = match scheme {
            None => ("file,pipe", ""),
            Some("rtsp" | "rtsps") => {
                ("rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto", "rtsp,sdp")
            }
            Some("rtmp" | "rtmps" | "rtmpe" | "rtmpt" | "rtmpts") => {
                ("rtmp,rtmps,rtmpe,rtmpt,rtmpts,ffrtmphttp,ffrtmpcrypt,tcp,tls,http,https,httpproxy", "")
            }
            Some("udp" | "rtp" | "srtp" | "tcp" | "tls" | "srt" | "rist") => {
                ("udp,rtp,srtp,tcp,tls,srt,rist,crypto", "rtp")
            }
            // What a playlist on a server names is on servers, too.
            Some(_) => ("http,https,httpproxy,tcp,tls,crypto,data", "hls,dash"),
        };
        let formats = if more.is_empty() { CONTAINERS.to_owned() } else { format!("{CONTAINERS},{more}") };
        Permit { protocols, formats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lead_nowhere_and_nothing_leads_to_files() {
        let formats = |permit: &Permit, name: &str| permit.formats.split(',').any(|format| format == name);
        let file = Permit::of(None);
        assert!(
            ["hls", "dash", "concat", "sdp", "image2", "lavfi", "imf"]
                .iter()
                .all(|name| !formats(&file, name))
        );
        assert!(["mov", "matroska", "mpegts", "gif"].iter().all(|name| formats(&file, name)));
        assert!(!file.protocols.contains("http") && !file.protocols.contains("tcp"));
        for scheme in ["http", "https", "rtsp", "rtmp", "udp", "srt", "gopher"] {
            let permit = Permit::of(Some(scheme));
            assert!(permit.protocols.split(',').all(|name| name != "file" && name != "pipe"), "{scheme}");
            assert!(!formats(&permit, "concat") && !formats(&permit, "image2"), "{scheme}");
        }
        assert!(formats(&Permit::of(Some("https")), "hls"));
    }
}
