"""Identity providers outside, and the proof that a token or an assertion is theirs: what IAM, STS and sign-in share."""
