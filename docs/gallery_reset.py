"""What an example must not leave behind for the next one."""

import sklearn


def reset_sklearn(gallery_conf, fname):
    """Turn metadata routing off again."""
    sklearn.set_config(enable_metadata_routing=False)
