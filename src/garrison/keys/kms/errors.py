"""KMS's refusals in AWS's words: one place, so that an operation reads as what it does.

Texts recorded on AWS (public snapshots and reports) or from the KMS Developer Guide. Each function makes the error; the caller
raises.
"""

from __future__ import annotations

from garrison.api import kms as api
from garrison.core.errors import CommonError, ModelledError


def no_such_key(arn: str) -> api.NotFoundException:
    """A key that is not there, or not any more."""
    return api.NotFoundException(f"Key '{arn}' does not exist")


def not_found(text: str) -> api.NotFoundException:
    """A key or alias that is not there; ``text`` says how it was named."""
    return api.NotFoundException(text)


def disabled(arn: str) -> api.DisabledException:
    """A cryptographic operation with a disabled key."""
    return api.DisabledException(f"{arn} is disabled.")


def pending_deletion(arn: str) -> api.KMSInvalidStateException:
    """Anything that changes or uses a key that waits for its deletion."""
    return api.KMSInvalidStateException(f"{arn} is pending deletion.")


def pending_replica_deletion(arn: str) -> api.KMSInvalidStateException:
    """The same with a multi-Region primary key that waits for its replicas to go."""
    return api.KMSInvalidStateException(f"{arn} is pending replica deletion.")


def unavailable(arn: str) -> api.KMSInvalidStateException:
    """A key whose custom key store is disconnected."""
    return api.KMSInvalidStateException(f"{arn} is unavailable.")


def creating(arn: str) -> api.KMSInvalidStateException:
    """A replica key that is not there yet."""
    return api.KMSInvalidStateException(f"{arn} is creating.")


def updating(arn: str) -> api.KMSInvalidStateException:
    """A multi-Region key whose primary Region changes."""
    return api.KMSInvalidStateException(f"{arn} is updating.")


def not_pending_deletion(arn: str) -> api.KMSInvalidStateException:
    """CancelKeyDeletion of a key that does not wait for it."""
    return api.KMSInvalidStateException(f"{arn} is not pending deletion.")


def pending_import(arn: str) -> api.KMSInvalidStateException:
    """A key that has no material yet."""
    return api.KMSInvalidStateException(f"{arn} is pending import.")


def unreadable() -> api.InvalidCiphertextException:
    """A ciphertext that is not one, was altered, or has another encryption context: AWS says no word more."""
    return api.InvalidCiphertextException("")


def incorrect_key() -> api.IncorrectKeyException:
    """Decrypt with a KeyId that is not the ciphertext's."""
    return api.IncorrectKeyException("The key ID in the request does not identify a CMK that can perform this operation.")


def wrong_algorithm(algorithm: str, spec: str) -> api.InvalidKeyUsageException:
    """An encryption algorithm of another kind of key."""
    return api.InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {spec}.")


def unfit(arn: str, usage: str, operation: str) -> api.InvalidKeyUsageException:
    """An operation that keys of another usage are for."""
    return api.InvalidKeyUsageException(f"{arn} key usage is {usage} which is not valid for {operation}.")


def bad_signature() -> api.KMSInvalidSignatureException:
    """A signature that is not one of this key, algorithm and message: AWS says no word more."""
    return api.KMSInvalidSignatureException("")


def bad_mac() -> api.KMSInvalidMacException:
    """A MAC that is not the one of this key and message: AWS says no word more."""
    return api.KMSInvalidMacException("")


def no_public_key(arn: str, spec: str) -> api.UnsupportedOperationException:
    """GetPublicKey of a key that has none."""
    return api.UnsupportedOperationException(f"{arn} has key spec {spec}, which has no public key.")


def dry_run() -> api.DryRunOperationException:
    """A dry run that found nothing against the request."""
    return api.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")


def grant_token() -> api.InvalidGrantTokenException:
    """A grant token that no grant has."""
    return api.InvalidGrantTokenException("The grant token is not valid.")


def wrong_origin(arn: str, origin: str) -> api.UnsupportedOperationException:
    """An operation that keys whose material came from elsewhere do not have."""
    return api.UnsupportedOperationException(f"{arn} origin is {origin} which is not valid for this operation.")


def spec_without_operation(arn: str, spec: str) -> api.UnsupportedOperationException:
    """An operation that keys of this spec do not have."""
    return api.UnsupportedOperationException(f"{arn} key spec is {spec} which is not valid for this operation.")


def not_primary(arn: str) -> api.UnsupportedOperationException:
    """What only the primary key of a multi-Region key does."""
    return api.UnsupportedOperationException(f"{arn} is not a multi-region primary key.")


def too_many_rotations(arn: str) -> api.LimitExceededException:
    """A key that was rotated on demand as often as it may be."""
    return api.LimitExceededException(
        "The on-demand rotations limit has been reached for the given keyId. "
        f"No more on-demand rotations can be performed for this key: {arn}"
    )


def nothing_to_rotate_to(arn: str) -> api.KMSInvalidStateException:
    """RotateKeyOnDemand of imported material before new material is there in every Region."""
    return api.KMSInvalidStateException(f"{arn} has no key material in the PENDING_ROTATION state.")


def import_token() -> api.InvalidImportTokenException:
    """An import token that is none, or another key's."""
    return api.InvalidImportTokenException("The import token is not valid.")


def import_token_expired() -> api.ExpiredImportTokenException:
    """An import token of more than a day ago."""
    return api.ExpiredImportTokenException("The import token is expired.")


def not_the_material(reason: str) -> api.IncorrectKeyMaterialException:
    """Imported material that is not what the key needs; ``reason`` says no byte of it."""
    return api.IncorrectKeyMaterialException(f"The key material is not valid: {reason}.")


def import_for_symmetric(member: str) -> CommonError:
    """A member of ImportKeyMaterial that only symmetric encryption keys have."""
    return validation(f"{member} can be used with symmetric encryption KMS keys only.")


def material_id_with_new() -> CommonError:
    """A KeyMaterialId for material that is new."""
    return validation("You cannot specify KeyMaterialId when ImportType is NEW_KEY_MATERIAL.")


def new_in_replica(arn: str) -> api.UnsupportedOperationException:
    """New material comes into the primary key first."""
    return api.UnsupportedOperationException(
        f"{arn} is a multi-Region replica key: import new key material into its primary key first."
    )


def valid_to_needed() -> CommonError:
    """Expiring material without the time."""
    return validation("ValidTo must be specified when ExpirationModel is KEY_MATERIAL_EXPIRES.")


def valid_to_not_taken() -> CommonError:
    """A time for material that does not expire."""
    return validation("ValidTo must not be specified when ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE.")


def valid_to_range() -> CommonError:
    """A time that has passed, or is more than a year away."""
    return validation("ValidTo must be in the future, and not more than 365 days away.")


def wrapping(algorithm: str, wrapping_spec: str, spec: str) -> api.UnsupportedOperationException:
    """A wrapping that this kind of material does not fit into."""
    return api.UnsupportedOperationException(
        f"Wrapping algorithm {algorithm} with wrapping key spec {wrapping_spec} is not valid for key spec {spec}."
    )


def no_such_material(material_id: str, arn: str) -> api.NotFoundException:
    """A material id that is not of this key."""
    return api.NotFoundException(f"Key material {material_id} of {arn} is not found.")


def replica_exists(arn: str) -> api.AlreadyExistsException:
    """ReplicateKey into a Region that has the key."""
    return api.AlreadyExistsException(f"Key {arn} already exists.")


def no_such_region(region: str) -> CommonError:
    """A Region that the partition does not have, or the key's own."""
    return validation(f"{region} is not a valid Region for this operation.")


def no_principal(name: str) -> api.InvalidArnException:
    """A principal of a grant who does not exist, or of a kind that no grant may name."""
    return api.InvalidArnException(f"ARN does not refer to a valid principal: {name}")


def no_such_grant(grant_id: str) -> api.NotFoundException:
    """A grant that is not on the key, or not any more."""
    return api.NotFoundException(f"Grant ID {grant_id} not found")


def grant_id_form(grant_id: str) -> api.InvalidGrantIdException:
    """A text that no grant's id can be."""
    return api.InvalidGrantIdException(f"Invalid grant ID {grant_id}")


def create_grant_alone() -> CommonError:
    """A grant to make grants, of nothing."""
    return validation("Grants must not contain only the CreateGrant operation.")


def two_constraints() -> CommonError:
    """A grant with both constraints on the encryption context."""
    return validation("More than one constraint supplied")


def no_grant_operations() -> CommonError:
    """A grant of nothing."""
    return validation("Grants must contain at least one operation.")


def grant_operation(name: str, arn: str, spec: str, usage: str) -> CommonError:
    """A grant operation that this kind of key does not have."""
    return validation(f"Grant operation {name} is not valid for {arn}, whose key spec is {spec} and key usage {usage}.")


def context_constraint(arn: str, spec: str) -> CommonError:
    """A constraint on the encryption context where requests have none."""
    return validation(f"Encryption context grant constraints are not valid for {arn}, whose key spec is {spec}.")


def constraint_pairs(most: int) -> CommonError:
    """A constraint of too many pairs."""
    return validation(f"A grant constraint can have at most {most} encryption context pairs.")


def constraint_value(most: int) -> CommonError:
    """A constraint with a value that is too long."""
    return validation(f"An encryption context value in a grant constraint can have at most {most} characters.")


def constraint_case() -> CommonError:
    """A constraint whose keys differ in nothing but case, which constraints do not tell apart."""
    return validation("The encryption context keys of a grant constraint must differ in more than their case.")


def one_of(first: str, second: str) -> CommonError:
    """Neither, or both, of two members of which one is needed."""
    return validation(f"You must specify either {first} or {second}, but not both.")


def not_both(first: str, second: str) -> CommonError:
    """Both of two members that exclude each other."""
    return validation(f"You can specify either {first} or {second}, but not both.")


def service_grant(needs: str) -> CommonError:
    """A grant to a service without what such grants need."""
    return validation(f"When you specify a GranteeServicePrincipal, you must also specify {needs}.")


def only_services(member: str) -> CommonError:
    """A filter that only AWS services may use."""
    return validation(f"{member} can be used by service principals only.")


def which_grant() -> CommonError:
    """RetireGrant without a grant, or with two."""
    return validation("To identify the grant, specify either GrantToken, or both KeyId and GrantId.")


def too_many_grants(limit: int) -> api.LimitExceededException:
    """A key with as many grants as it may have."""
    return api.LimitExceededException(f"The key has the maximum of {limit} grants.")


def malformed_policy(reason: str) -> api.MalformedPolicyDocumentException:
    """A key policy that cannot be put."""
    return api.MalformedPolicyDocumentException(reason)


def invalid_principals() -> api.MalformedPolicyDocumentException:
    """A key policy that names somebody who does not exist."""
    return malformed_policy("Policy contains a statement with one or more invalid principals.")


def lockout() -> api.MalformedPolicyDocumentException:
    """A key policy that its author could not change again."""
    return malformed_policy("The new key policy will not allow you to update the key policy in the future.")


def no_such_policy() -> api.NotFoundException:
    """A key policy of another name than ``default``."""
    return api.NotFoundException("No such policy exists")


def alias_exists(arn: str) -> api.AlreadyExistsException:
    """CreateAlias with a name that is taken."""
    return api.AlreadyExistsException(f"An alias with the name {arn} already exists")


def alias_prefix() -> CommonError:
    """An alias name that does not begin as one."""
    return validation(
        'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
    )


def alias_form(name: str) -> api.InvalidAliasNameException:
    """An alias name of the prefix alone, or of characters that names may not have."""
    return api.InvalidAliasNameException(f"{name} is not a valid alias name.")


def alias_reserved() -> CommonError:
    """``alias/aws/…`` is AWS's own."""
    return CommonError("access_denied", "", code="NotAuthorizedException", status=400)


def policy_too_large(limit: int) -> api.LimitExceededException:
    """A key policy over its quota."""
    return api.LimitExceededException(f"The key policy exceeds the limit of {limit} bytes.")


def too_many_aliases(limit: int) -> api.LimitExceededException:
    """A key with as many aliases as it may have."""
    return api.LimitExceededException(f"The key has the maximum of {limit} aliases.")


def too_many_tags() -> api.TagException:
    """More than 50 tags."""
    return api.TagException("Too many tags")


def reserved_tags() -> api.TagException:
    """Tags that only AWS's services may set."""
    return api.TagException("Tags beginning with aws: are reserved")


def duplicate_tags() -> api.TagException:
    """One key twice in a request."""
    return api.TagException("Duplicate tag keys")


def two_specs() -> CommonError:
    """CreateKey with the old and the new name of one parameter."""
    return validation(
        "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated."
    )


def wrong_usage(usage: str, spec: str) -> CommonError:
    """CreateKey with a usage that keys of this spec do not have."""
    return validation(f"KeyUsage {usage} is not compatible with KeySpec {spec}")


def no_usage() -> CommonError:
    """CreateKey of an asymmetric or HMAC key without KeyUsage."""
    return validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")


def plaintext_too_long(algorithm: str, spec: str, most: int) -> CommonError:
    """Encrypt of more than the padding leaves room for."""
    return validation(f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {most} bytes.")


def context_with_asymmetric(spec: str) -> CommonError:
    """An encryption context, which an asymmetric ciphertext could not be bound to."""
    return validation(f"EncryptionContext is not supported with key spec {spec}.")


def digest_length(algorithm: str) -> CommonError:
    """Sign or Verify of a digest that is not as long as the algorithm's hash."""
    return validation(f"Digest is invalid length for algorithm {algorithm}.")


def mu_length(algorithm: str) -> CommonError:
    """Sign or Verify of an external mu that has not 64 bytes."""
    return validation(f"External Mu is invalid length for algorithm {algorithm}.")


def message_type(kind: str, with_what: str) -> CommonError:
    """A MessageType that the key's spec, or the algorithm, does not know."""
    return validation(f"Message type {kind} is incompatible with {with_what}.")


class WordlessValidationError(ModelledError):
    """A ValidationException, which the model does not have, with an empty message: a common error would get words of its own."""

    code = "ValidationException"
    shape = "ValidationException"
    status = 400


def peer_key() -> WordlessValidationError:
    """DeriveSharedSecret with a public key that is none, or of another curve: AWS says no word more."""
    return WordlessValidationError("")


def pending_window(days: int, shortest: int, longest: int) -> CommonError:
    """ScheduleKeyDeletion with a waiting period that KMS does not allow."""
    bound = f"greater than or equal to {shortest}" if days < shortest else f"less than or equal to {longest}"
    return validation(
        f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to satisfy constraint: "
        f"Member must have value {bound}"
    )


def missing(member: str) -> CommonError:
    """A member that the model lets out and this call needs."""
    return validation(
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    )


def data_key_length() -> CommonError:
    """GenerateDataKey with both of KeySpec and NumberOfBytes, or none."""
    return validation("Please specify either number of bytes or key spec.")


def too_many_asked(value: int, limit: int) -> CommonError:
    """A Limit over what this list allows."""
    return validation(
        f"1 validation error detected: Value '{value}' at 'limit' failed to satisfy constraint: "
        f"Member must have value less than or equal to {limit}"
    )


def marker() -> api.InvalidMarkerException:
    """A marker that this list did not give out."""
    return api.InvalidMarkerException("The marker is not valid.")


def validation(text: str) -> CommonError:
    """A request that the model allows and KMS does not."""
    return CommonError("validation", text)


def not_built(parameter: str, value: str = "") -> api.UnsupportedOperationException:
    """A parameter, or a value of one, that KMS has and Garrison has not."""
    return api.UnsupportedOperationException(f"Garrison does not support {parameter}{value and ' '}{value} yet.")


def no_such_alias(arn: str) -> api.NotFoundException:
    """An alias that is not there."""
    return api.NotFoundException(f"Alias {arn} is not found.")
