from tests.empty_folder import empty_folder  # noqa: F401
