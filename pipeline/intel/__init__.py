"""What partners share, to indicators that are watched for. Pure: values in, values out."""
