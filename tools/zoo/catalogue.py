"""Which classifiers the zoo holds: one small variant of each family, random weights, nothing downloaded.

`layer` is the module whose output a person would look at: the last feature map before the pooling, or `norm1` of the
last block of a transformer. None: the last square feature map that runs. `options` shrink the big ones.
"""

from dataclasses import dataclass, field

import timm
import torchvision
from torch import nn


@dataclass
class Entry:
    name: str
    source: str  # "torchvision" or "timm"
    size: int = 128
    layer: str | None = None
    options: dict = field(default_factory=dict)
    constructor: str | None = None

    def build(self):
        """The network with its library's random initialisation."""
        name = self.constructor or self.name.split(".")[0]
        if self.source == "timm":
            return timm.create_model(name, pretrained=False, **self.options)
        if name == "vgg_narrow":
            plan = [32, "M", 64, "M", 128, 128, "M", 128, 128, "M", 128, "M"]
            features = torchvision.models.vgg.make_layers(plan)
            features.out_channels = 128
            model = torchvision.models.VGG(features, num_classes=1000, init_weights=True)
            return narrow_vgg(model)
        if name == "vision_transformer":
            return torchvision.models.VisionTransformer(**self.options)
        return getattr(torchvision.models, name)(weights=None, **self.options)


def narrow_vgg(model):
    """A VGG classifier for 128 channels instead of 512."""
    model.classifier = nn.Sequential(
        nn.Linear(128 * 49, 256), nn.ReLU(True), nn.Dropout(), nn.Linear(256, 256), nn.ReLU(True), nn.Dropout(), nn.Linear(256, 1000)
    )
    return model


def tv(name, size=128, layer=None, constructor=None, **options):
    return Entry(name, "torchvision", size, layer, options, constructor)


def tm(name, size=128, layer=None, **options):
    return Entry("timm_" + name, "timm", size, layer, options, name)


ENTRIES = [
    tv("resnet18", layer="layer4"),
    tv("mobilenet_v2"),
    tv("vgg_narrow", 224, "features"),
    tv("densenet121"),
    tv("squeezenet1_0"),
    tv("inception_v3", 192, "Mixed_7c", init_weights=False, aux_logits=False),
    tv("googlenet", layer="inception5b", init_weights=False, aux_logits=False),
    tv("mobilenet_v3_small"),
    tv("mobilenet_v3_large"),
    tv("shufflenet_v2_x0_5"),
    tv("mnasnet0_5"),
    tv("efficientnet_b0"),
    tv("regnet_y_400mf"),
    tv("regnet_x_400mf"),
    tv("convnext_tiny"),
    tv("swin_t", 224, "features.7.1.norm1"),
    tv("swin_v2_t", 256, "features.7.1.norm1"),
    tv("vit_small_p16", 96, "encoder.layers.encoder_layer_3.ln_1", "vision_transformer",
       image_size=96, patch_size=16, num_layers=4, num_heads=3, hidden_dim=96, mlp_dim=192),
    tv("alexnet", 224, "features"),
    tv("efficientnet_v2_s"),
    tv("maxvit_t", 224),
    tm("vit_tiny_patch16_224", 224, "blocks.11.norm1"),
    tm("deit_tiny_distilled_patch16_224", 224, "blocks.11.norm1"),
    tm("deit3_small_patch16_224", 224, "blocks.3.norm1", depth=4),
    tm("beit_base_patch16_224", 224, "blocks.3.norm1", depth=4, embed_dim=192, num_heads=3),
    tm("cait_xxs24_224", 224, "blocks.3.norm1", depth=4),
    tm("crossvit_tiny_240", 240, "blocks.2.fusion.0.norm1"),
    tm("levit_128s", 224, "stages.2"),
    tm("pit_ti_224", 224, "transformers.2.blocks.3.norm1"),
    tm("mobilevit_xxs"),
    tm("mobilevitv2_050"),
    tm("edgenext_xx_small"),
    tm("efficientformer_l1", 224, "stages.3"),
    tm("poolformer_s12"),
    tm("mixer_s32_224", 224, "norm"),
    tm("gmlp_s16_224", 224, "norm"),
    tm("resmlp_12_224", 224, "norm"),
    tm("convmixer_768_32", 112),
    tm("coatnet_nano_rw_224", 224),
    tm("maxvit_rmlp_pico_rw_256", 256),
    tm("xcit_nano_12_p16_224", 224, "blocks.11.norm1"),
    tm("twins_pcpvt_small", 224, "norm"),
    tm("pvt_v2_b0"),
    tm("fastvit_t8", 256),
    tm("repvgg_a0"),
    tm("ghostnet_100"),
    tm("hardcorenas_a"),
    tm("res2net50_14w_8s"),
    tm("resnest14d"),
    tm("seresnext26d_32x4d"),
    tm("skresnet18"),
    tm("dla34"),
    tm("ese_vovnet19b_dw"),
    tm("cspdarknet53"),
    tm("nfnet_l0"),
    tm("rexnet_100"),
    tm("tf_efficientnet_lite0"),
    tm("volo_d1_224", 224),
    tm("eva02_tiny_patch14_224", 224, "blocks.3.norm1", depth=4),
    tm("hiera_tiny_224", 224, "blocks.11"),
    tm("visformer_tiny", 224),
    tm("nest_tiny", 224),
    tm("swin_tiny_patch4_window7_224", 224, "layers.3.blocks.1.norm1"),
    tm("swinv2_tiny_window8_256", 256, "layers.3.blocks.1.norm1"),
    tm("davit_tiny", 224),
    tm("focalnet_tiny_srf", 224),
    tm("inception_next_tiny"),
    tm("mobileone_s0"),
    tm("efficientvit_b0"),
    tm("efficientvit_m0", 224),
    tm("tiny_vit_5m_224", 224),
    tm("repvit_m0_9"),
    tm("starnet_s1"),
    tm("mobilenetv4_conv_small"),
    tm("lcnet_050"),
    tm("hgnetv2_b0"),
    tm("convnextv2_atto"),
    tm("resnet18d"),
    tm("resnetv2_18"),
    tm("mixnet_s"),
    tm("selecsls42b"),
    tm("hrnet_w18_small"),
    tm("gernet_s"),
    tm("gcresnext26ts"),
    tm("botnet26t_256", 256),
    tm("halonet26t", 256),
    tm("lambda_resnet26t", 256),
    tm("convit_tiny", 224, "blocks.11.norm1"),
    tm("tnt_s_legacy_patch16_224", 224),
    tm("mvitv2_tiny", 224),
    tm("gcvit_xxtiny", 224),
    tm("dpn48b"),
    tm("fbnetc_100"),
    tm("spnasnet_100"),
    tm("tinynet_e"),
    tm("coat_tiny", 224),
    tm("shvit_s1", 224),
    tm("swiftformer_xs", 224),
    tm("mambaout_femto"),
    tm("ghostnetv2_100"),
    tm("fasternet_t0"),
    tm("repghostnet_050"),
    tm("nextvit_small"),
    tm("mobilenetv3_small_050"),
    tm("cs3darknet_s"),
    tm("eca_nfnet_l0"),
    tm("resnet50_gn", 128),
    tm("sequencer2d_s", 224),
    tm("vit_relpos_small_patch16_224", 224, "blocks.3.norm1", depth=4),
    tm("vit_base_patch16_siglip_224", 224, "blocks.3.norm1", depth=4, embed_dim=192, num_heads=3),
    tm("rdnet_tiny"),
    tm("xception41"),
    tm("inception_resnet_v2"),
]
