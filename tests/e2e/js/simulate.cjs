// iam-simulate, unmodified, on an account's authorization details: node simulate.cjs DETAILS QUESTIONS
// DETAILS: what GetAccountAuthorizationDetails answered, as `aws iam get-account-authorization-details` prints it.
// QUESTIONS: a JSON array of {"principal", "action", "resource", "context"}. Prints a JSON array of its decisions.
"use strict";

const fs = require("node:fs");
const { runSimulation } = require("@cloud-copilot/iam-simulate");

const named = (list) => (list ?? []).map((one) => ({ name: one.PolicyName, policy: one.PolicyDocument }));

function attached(details, list) {
  return (list ?? []).map(({ PolicyArn }) => {
    const policy = details.Policies.find((one) => one.Arn === PolicyArn);
    return { name: PolicyArn, policy: policy.PolicyVersionList.find((version) => version.IsDefaultVersion).Document };
  });
}

function policiesOf(details, arn) {
  const user = details.UserDetailList.find((one) => one.Arn === arn);
  const role = details.RoleDetailList.find((one) => one.Arn === arn);
  const owner = user ?? role;
  const groups = (user?.GroupList ?? []).map((name) => details.GroupDetailList.find((one) => one.GroupName === name));
  const all = [named(user ? user.UserPolicyList : role.RolePolicyList), attached(details, owner.AttachedManagedPolicies)];
  for (const group of groups) all.push(named(group.GroupPolicyList), attached(details, group.AttachedManagedPolicies));
  const boundary = owner.PermissionsBoundary && [{ PolicyArn: owner.PermissionsBoundary.PermissionsBoundaryArn }];
  return { identityPolicies: all.flat(), permissionBoundaryPolicies: boundary && attached(details, boundary) };
}

async function decide(details, { principal, action, resource, context }) {
  const { identityPolicies, permissionBoundaryPolicies } = policiesOf(details, principal);
  const answer = await runSimulation(
    {
      request: {
        principal,
        action,
        resource: { resource, accountId: principal.split(":")[4] },
        contextVariables: context ?? {},
      },
      identityPolicies,
      permissionBoundaryPolicies,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (answer.resultType === "error") throw new Error(JSON.stringify(answer));
  return answer.overallResult;
}

async function main([details, questions]) {
  const read = JSON.parse(fs.readFileSync(details, "utf-8"));
  return Promise.all(JSON.parse(questions).map((question) => decide(read, question)));
}

main(process.argv.slice(2)).then(
  (found) => console.log(JSON.stringify(found)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
