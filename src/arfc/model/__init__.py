"""The network: KLT front, linear map, ARC, MoS, decoder, and the module that joins them."""
