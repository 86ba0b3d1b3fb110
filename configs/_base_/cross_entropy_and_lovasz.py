# A loss for small models: class by class, Lovasz is near the IoU.
cross_entropy_and_lovasz = [  # the Lovasz loss of all pixels would take as long as the network on a CPU
    dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    dict(type="StridedLovaszLoss", stride=2, loss_weight=1.0),
]
