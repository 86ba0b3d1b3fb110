"""Write the classes of georeferenced masks as polygons, for a GIS: GeoPackage or GeoJSON."""

from semseg.datasets.map_polygons.layers import Request, Written, write_polygons

__all__ = ["Request", "Written", "write_polygons"]
