package token_test

import "testing"

// The index of the tables: by section of RFC 8725, and by what else two parsers
// may read differently. Each test runs alone, too.
func TestTheHostileTokensAreAtLeast150AndCoverRFC8725(t *testing.T) {
	names = map[string]bool{}
	defer func() { names = nil }()
	for _, group := range []struct {
		section string
		test    func(*testing.T)
	}{
		{"3.1 the algorithm is verified", TestTokensThatChooseTheirAlgorithmAreRefused},
		{"3.1 in both directions", TestEveryAlgorithmIsRefusedUnderTheKeyOfEveryOther},
		{"3.2 appropriate algorithms", TestAKeyIsUsedWithItsOneAlgorithmOnly},
		{"3.2 profiles", TestAProfileThatWouldAdmitTooMuchIsRefused},
		{"3.3 all cryptographic operations", TestTokensWithAnotherSignatureAreRefused},
		{"3.3 of every algorithm", TestSignaturesThatAreNoneAreRefusedForEveryAlgorithm},
		{"3.4 cryptographic inputs", TestEdDSASignaturesOfStrangePointsAreRefused},
		{"3.4 keys of small order", TestASignatureThatFitsEveryMessageOfASmallOrderKeyIsNeverAsked},
		{"3.4 junk in a JWKS", TestJunkInAKeySetHarmsNobodyElse},
		{"3.4 what is no JWKS", TestKeySetsThatAreNoneAreRefused},
		{"3.5 entropy of keys", TestKeysThatProveNothingAreRefusedByTheConstructor},
		{"3.6 compression, 3.10 jku and x5u", TestTokensThatBringTheirKeyAreRefused},
		{"3.7 UTF-8, duplicates, nesting", TestPayloadsThatParsersReadDifferentlyAreRefused},
		{"3.8 issuer and subject", TestTokensThatPretendToBeSomebodyElseAreRefused},
		{"3.9 audience", TestTokensForSomebodyElseAreRefusedAsSuch},
		{"3.10 kid", TestTokensWithAStrangeKeyIDAreRefused},
		{"3.11 explicit typing", TestTokensOfAnotherTypeAreRefused},
		{"3.12 other kinds of tokens", TestIDAndRefreshTokensOfAnExternalIssuerAreRefused},
		{"3.12 required claims", TestTokensWithAMissingClaimAreRefused},
		{"kinds of claims", TestTokensWithAClaimOfTheWrongKindAreRefused},
		{"duplicate members of the header", TestDuplicateHeaderMembersAreRefused},
		{"times", TestTokensOutOfTheirTimeAreRefused},
		{"numbers", TestNumbersThatParsersReadDifferentlyAreRefused},
		{"base64 and the compact form", TestTokensInAnotherSpellingAreRefused},
	} {
		t.Run(group.section, group.test)
	}
	t.Logf("%d hostile tokens", len(names))
	if len(names) < 150 {
		t.Errorf("only %d hostile tokens", len(names))
	}
}
