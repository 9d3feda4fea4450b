"""Types of the AWS APIs, generated from botocore's models."""
