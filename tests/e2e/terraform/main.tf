# What a small project would declare: a user with a policy, a role, a key with an alias.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "prefix" { type = string }

provider "aws" {
  endpoints {
    iam = var.endpoint
    kms = var.endpoint
    sts = var.endpoint
  }
}

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "data" {
  description             = "${var.prefix} data"
  deletion_window_in_days = 7
  tags                    = { purpose = "test" }
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.prefix}-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_iam_user" "ci" {
  name = "${var.prefix}-ci"
  path = "/machines/"
  tags = { team = "build" }
}

resource "aws_iam_group" "builders" {
  name = "${var.prefix}-builders"
}

resource "aws_iam_user_group_membership" "ci" {
  user   = aws_iam_user.ci.name
  groups = [aws_iam_group.builders.name]
}

data "aws_iam_policy_document" "use_key" {
  statement {
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    resources = [aws_kms_key.data.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:app"
      values   = ["web"]
    }
  }
}

resource "aws_iam_policy" "use_key" {
  name   = "${var.prefix}-use-key"
  policy = data.aws_iam_policy_document.use_key.json
}

resource "aws_iam_group_policy_attachment" "builders" {
  group      = aws_iam_group.builders.name
  policy_arn = aws_iam_policy.use_key.arn
}

resource "aws_iam_user_policy" "inline" {
  name = "read-itself"
  user = aws_iam_user.ci.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "iam:GetUser", Resource = aws_iam_user.ci.arn }]
  })
}

resource "aws_iam_access_key" "ci" {
  user = aws_iam_user.ci.name
}

resource "aws_iam_role" "deploy" {
  name = "${var.prefix}-deploy"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = aws_iam_user.ci.arn }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "deploy" {
  role       = aws_iam_role.deploy.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_instance_profile" "deploy" {
  name = "${var.prefix}-deploy"
  role = aws_iam_role.deploy.name
  tags = { team = "build" }
}

output "account" {
  value = data.aws_caller_identity.current.account_id
}

output "key" {
  value = aws_kms_key.data.arn
}
