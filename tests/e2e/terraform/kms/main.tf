# Keys of several specs, an alias, a key policy, a grant and a ciphertext: applied, planned without drift, changed and destroyed.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "prefix" { type = string }
variable "target" {
  type    = string
  default = "first"
}

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {
    iam = var.endpoint
    kms = var.endpoint
    sts = var.endpoint
  }
}

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "first" {
  description             = "${var.prefix} first"
  deletion_window_in_days = 7
  is_enabled              = true
  enable_key_rotation     = true
  rotation_period_in_days = 180
  tags                    = { purpose = "test" }
}

resource "aws_kms_key" "second" {
  description             = "${var.prefix} second"
  deletion_window_in_days = 30
}

resource "aws_kms_key_policy" "second" {
  key_id = aws_kms_key.second.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Owner"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.prefix}-moving"
  target_key_id = var.target == "first" ? aws_kms_key.first.arn : aws_kms_key.second.arn
}

resource "aws_kms_key" "signing" {
  description              = "${var.prefix} signing"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P384"
  deletion_window_in_days  = 7
}

resource "aws_kms_key" "mac" {
  description              = "${var.prefix} mac"
  key_usage                = "GENERATE_VERIFY_MAC"
  customer_master_key_spec = "HMAC_256"
  deletion_window_in_days  = 7
}

data "aws_kms_public_key" "signing" {
  key_id = aws_kms_key.signing.arn
}

resource "aws_iam_user" "reader" {
  name = "${var.prefix}-reader"
}

resource "aws_kms_grant" "reader" {
  name              = "reader"
  key_id            = aws_kms_key.first.key_id
  grantee_principal = aws_iam_user.reader.arn
  operations        = ["Decrypt", "DescribeKey"]
  constraints {
    encryption_context_subset = { app = "web" }
  }
}

resource "aws_kms_ciphertext" "password" {
  key_id    = aws_kms_key.first.key_id
  plaintext = "correct horse"
  context   = { app = "web" }
}

output "alias_target" { value = aws_kms_alias.data.target_key_arn }
output "first" { value = aws_kms_key.first.arn }
output "second" { value = aws_kms_key.second.arn }
output "public_key" { value = data.aws_kms_public_key.signing.public_key_pem }
output "ciphertext" { value = aws_kms_ciphertext.password.ciphertext_blob }
output "reader" { value = aws_iam_user.reader.name }
