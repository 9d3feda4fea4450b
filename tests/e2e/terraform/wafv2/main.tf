# The firewall as its users describe it: sets, a rule group, a web ACL of every kind of rule, what it protects, and its logs.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "endpoint" {
  type = string
}

variable "prefix" {
  type = string
}

variable "limit" {
  type    = number
  default = 500
}

provider "aws" {
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = false
  skip_credentials_validation = false
  endpoints {
    iam   = var.endpoint
    sts   = var.endpoint
    wafv2 = var.endpoint
  }
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

resource "aws_wafv2_ip_set" "bad" {
  name               = "${var.prefix}-bad"
  description        = "Addresses that are stopped"
  scope              = "REGIONAL"
  ip_address_version = "IPV4"
  addresses          = ["192.0.2.0/24", "198.51.100.7/32"]
  tags               = { team = "blue" }
}

resource "aws_wafv2_ip_set" "six" {
  name               = "${var.prefix}-six"
  scope              = "REGIONAL"
  ip_address_version = "IPV6"
  addresses          = ["2001:0db8:0000:0000:0000:0000:0000:0000/32"]
}

resource "aws_wafv2_regex_pattern_set" "paths" {
  name  = "${var.prefix}-paths"
  scope = "REGIONAL"
  regular_expression {
    regex_string = "^/admin"
  }
  regular_expression {
    regex_string = "\\.php$"
  }
}

resource "aws_wafv2_rule_group" "own" {
  name     = "${var.prefix}-own"
  scope    = "REGIONAL"
  capacity = 100

  rule {
    name     = "paths"
    priority = 1
    action {
      block {
        custom_response {
          response_code            = 404
          custom_response_body_key = "gone"
          response_header {
            name  = "x-blocked-by"
            value = "rules"
          }
        }
      }
    }
    rule_label {
      name = "path:forbidden"
    }
    statement {
      regex_pattern_set_reference_statement {
        arn = aws_wafv2_regex_pattern_set.paths.arn
        field_to_match {
          uri_path {}
        }
        text_transformation {
          priority = 0
          type     = "NORMALIZE_PATH"
        }
        text_transformation {
          priority = 1
          type     = "LOWERCASE"
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "paths"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "six"
    priority = 2
    action {
      count {}
    }
    statement {
      ip_set_reference_statement {
        arn = aws_wafv2_ip_set.six.arn
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = false
      metric_name                = "six"
      sampled_requests_enabled   = false
    }
  }

  custom_response_body {
    key          = "gone"
    content_type = "TEXT_PLAIN"
    content      = "There is nothing here."
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "own"
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl" "site" {
  name          = "${var.prefix}-site"
  description   = "What protects the site"
  scope         = "REGIONAL"
  token_domains = ["app.example"]
  tags          = { team = "blue", stage = "test" }

  default_action {
    allow {
      custom_request_handling {
        insert_header {
          name  = "inspected"
          value = "yes"
        }
      }
    }
  }

  captcha_config {
    immunity_time_property {
      immunity_time = 600
    }
  }

  rule {
    name     = "bad"
    priority = 0
    action {
      block {}
    }
    statement {
      ip_set_reference_statement {
        arn = aws_wafv2_ip_set.bad.arn
        ip_set_forwarded_ip_config {
          fallback_behavior = "NO_MATCH"
          header_name       = "X-Forwarded-For"
          position          = "FIRST"
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "bad"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "common"
    priority = 1
    override_action {
      none {}
    }
    statement {
      managed_rule_group_statement {
        name        = "AWSManagedRulesCommonRuleSet"
        vendor_name = "AWS"
        rule_action_override {
          name = "SizeRestrictions_BODY"
          action_to_use {
            count {}
          }
        }
        scope_down_statement {
          not_statement {
            statement {
              byte_match_statement {
                search_string         = "/health"
                positional_constraint = "EXACTLY"
                field_to_match {
                  uri_path {}
                }
                text_transformation {
                  priority = 0
                  type     = "NONE"
                }
              }
            }
          }
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "common"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "bots"
    priority = 2
    override_action {
      count {}
    }
    statement {
      managed_rule_group_statement {
        name        = "AWSManagedRulesBotControlRuleSet"
        vendor_name = "AWS"
        version     = "Version_2.0"
        managed_rule_group_configs {
          aws_managed_rules_bot_control_rule_set {
            inspection_level = "TARGETED"
          }
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "bots"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "own"
    priority = 3
    override_action {
      none {}
    }
    statement {
      rule_group_reference_statement {
        arn = aws_wafv2_rule_group.own.arn
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "own-group"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "rate"
    priority = 4
    action {
      challenge {}
    }
    statement {
      rate_based_statement {
        limit                 = var.limit
        aggregate_key_type    = "CUSTOM_KEYS"
        evaluation_window_sec = 120
        custom_key {
          ip {}
        }
        custom_key {
          header {
            name = "x-tenant"
            text_transformation {
              priority = 0
              type     = "NONE"
            }
          }
        }
        scope_down_statement {
          and_statement {
            statement {
              geo_match_statement {
                country_codes = ["DE", "FR"]
              }
            }
            statement {
              or_statement {
                statement {
                  sqli_match_statement {
                    sensitivity_level = "HIGH"
                    field_to_match {
                      json_body {
                        invalid_fallback_behavior = "EVALUATE_AS_STRING"
                        match_scope               = "VALUE"
                        oversize_handling         = "MATCH"
                        match_pattern {
                          included_paths = ["/user/name"]
                        }
                      }
                    }
                    text_transformation {
                      priority = 0
                      type     = "URL_DECODE"
                    }
                  }
                }
                statement {
                  xss_match_statement {
                    field_to_match {
                      cookies {
                        match_scope       = "ALL"
                        oversize_handling = "CONTINUE"
                        match_pattern {
                          excluded_cookies = ["session"]
                        }
                      }
                    }
                    text_transformation {
                      priority = 0
                      type     = "HTML_ENTITY_DECODE"
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "sizes"
    priority = 5
    action {
      captcha {}
    }
    captcha_config {
      immunity_time_property {
        immunity_time = 120
      }
    }
    statement {
      size_constraint_statement {
        comparison_operator = "GT"
        size                = 4096
        field_to_match {
          headers {
            match_scope       = "VALUE"
            oversize_handling = "MATCH"
            match_pattern {
              all {}
            }
          }
        }
        text_transformation {
          priority = 0
          type     = "NONE"
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "sizes"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "labels"
    priority = 6
    action {
      block {}
    }
    statement {
      label_match_statement {
        scope = "LABEL"
        key   = "path:forbidden"
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "labels"
      sampled_requests_enabled   = true
    }
  }

  association_config {
    request_body {
      api_gateway {
        default_size_inspection_limit = "KB_64"
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "site"
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "api" {
  resource_arn = "arn:aws:apigateway:${data.aws_region.current.name}::/restapis/garrison/stages/api"
  web_acl_arn  = aws_wafv2_web_acl.site.arn
}

resource "aws_wafv2_web_acl_logging_configuration" "site" {
  resource_arn            = aws_wafv2_web_acl.site.arn
  log_destination_configs = ["arn:aws:logs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:log-group:aws-waf-logs-${var.prefix}"]

  redacted_fields {
    single_header {
      name = "cookie"
    }
  }
  redacted_fields {
    query_string {}
  }

  logging_filter {
    default_behavior = "DROP"
    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"
      condition {
        action_condition {
          action = "BLOCK"
        }
      }
      condition {
        label_name_condition {
          label_name = "awswaf:managed:aws:core-rule-set:NoUserAgent_Header"
        }
      }
    }
  }
}

output "acl" {
  value = aws_wafv2_web_acl.site.arn
}

output "capacity" {
  value = aws_wafv2_web_acl.site.capacity
}

output "association" {
  value = aws_wafv2_web_acl_association.api.resource_arn
}
