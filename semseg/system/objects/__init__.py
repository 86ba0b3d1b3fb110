"""Files in object storage, which are named by addresses such as `s3://bucket/photos/a.jpg`."""
