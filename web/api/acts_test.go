package api

import (
	"slices"
	"testing"

	"github.com/agora-host/agora/access"
)

// actOf is the act of the table of who may do what that each operation does.
var actOf = map[string]access.Act{
	"info": access.LookAround, "whoami": access.LookAround,
	"listApps": access.FindApp, "getApp": access.FindApp, "suspendApp": access.SuspendApp, "resumeApp": access.ResumeApp, "deleteApp": access.DeleteApp,
	"undeleteApp": access.UndeleteApp, "transferApp": access.TransferApp, "answerOffer": access.EndOffer, "renameApp": access.RenameApp,
	"listCertificates": access.ReadCertificate, "getCertificate": access.ReadCertificate, "listReleases": access.ReadReleases, "getRelease": access.ReadReleases, "getReleaseSource": access.ReadSource, "build": access.CheckModule,
	"deleteRelease": access.DeleteRelease, "publish": access.Publish, "activate": access.Route, "rollBack": access.Route, "promote": access.AskReview, "askAgain": access.AskReview,
	"listActivations": access.ReadReleases, "logs": access.ReadLog, "listTriggers": access.ReadReleases, "getTrigger": access.ReadReleases, "pauseTrigger": access.RunTriggers, "runTrigger": access.RunTriggers,
	"listDeadLetters": access.ReadDeadLetters, "redeliver": access.RunTriggers, "deleteDeadLetter": access.RunTriggers,
	"listSecrets": access.ListSecrets, "setSecret": access.SetSecrets, "deleteSecret": access.SetSecrets, "rotateSecrets": access.Operate, "invoke": access.CallApp,
	"usage": access.ReadUsage, "usageSamples": access.ReadCalls, "getCall": access.ReadCalls, "events": access.ReadCatalogue,
	"listRequests": access.ReadRequest, "getRequest": access.ReadRequest, "decide": access.DecideRequest, "withdraw": access.WithdrawRequest,
	"listGrants": access.ReadCatalogue, "getGrant": access.ReadCatalogue, "revokeGrant": access.ReduceGrant, "shrinkGrant": access.ReduceGrant,
	"inspect": access.CheckModule, "getPolicy": access.ReadCatalogue, "checkPolicy": access.CheckModule,
	"listDomains": access.ReadCatalogue, "createDomain": access.Operate, "deleteDomain": access.Operate,
	"certify": access.Sign, "timestamp": access.ReadCatalogue, "listKeys": access.ReadCatalogue, "keyChallenge": access.ManageKeys, "addKey": access.ManageKeys, "deleteKey": access.ManageKeys,
	"listQuotas": access.ReadQuotas, "listTokens": access.ManageTokens, "newToken": access.ManageTokens, "revokeToken": access.ManageTokens,
	"listUsers": access.ManagePerson, "getUser": access.ManagePerson, "putUser": access.ManagePerson, "renameUser": access.ManagePerson, "inviteUser": access.ManagePerson,
	"listProvisioning": access.ManagePerson, "getProvisioning": access.ManagePerson, "listProvisioningTokens": access.ManagePerson, "newProvisioningToken": access.ManagePerson,
	"revokeProvisioningToken": access.ManagePerson, "linkPerson": access.ManagePerson, "dismissConflict": access.ManagePerson, "importPeople": access.ManagePerson,
	"doctor": access.Operate, "backup": access.Operate,
}

// TestRoutesAskTheTable: an operation lets in at its door exactly the roles without any of which the
// table of who may do what lets nobody do it.
func TestRoutesAskTheTable(t *testing.T) {
	for _, r := range routes() {
		if r.public {
			continue
		}
		act, ok := actOf[r.id]
		if !ok {
			t.Errorf("%s does no act of the table", r.id)
			continue
		}
		got, want := slices.Sorted(slices.Values(r.anyOf())), slices.Sorted(slices.Values(access.Door(act)))
		if !slices.Equal(got, want) {
			t.Errorf("%s lets in %v, and %s is for %v", r.id, got, act, want)
		}
	}
}
