# mod_md's store and news without a restart: what it has renewed waits in its staging area, the key sealed, until a graceful
# restart moves it to where it is served from, and mod_md's message can set that off; whatever else is put in the place of a
# managed certificate is served at once, as any other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use File::Copy qw(copy);
use SL::Acme;
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

plan skip_all => 'this httpd has no mod_md' unless SL::Httpd::has_module('md');
plan skip_all => 'one process cannot be restarted gracefully' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my $own   = $certs->server('own.test', type => 'ecdsa');
my %by_hand = map { $_ => $certs->server('managed.test', type => 'ecdsa', tag => $_) } qw(first second);
my %given   = map { $_ => $certs->server('given.test', type => 'ecdsa', tag => $_) } qw(first second);
my $httpd = SL::Httpd->new(modules => ['md'], full_stacks => 1);
my $acme  = SL::Acme->new(http => $httpd->port('http'), https => $httpd->port('https'));
my $root  = $httpd->root;
my $md    = "$root/md";
my $flag  = "$root/work/renewed";
my $messages = "$root/work/messages";
$acme->start or BAIL_OUT('no ACME server: ' . $acme->log);

# As docs/renewing.md has it: who is told runs as httpd's user, and only leaves a mark.
$httpd->file('cgi/message', <<"SH");
#!/bin/sh
echo "\$(id -u) \$*" >>'$messages'
[ "\$1" != renewed ] || touch '$flag'
SH
spew($messages, '', 0666);
page($httpd, 'own.test', 'managed.test', 'given.test');
my @given = map { "$root/work/given.$_" } qw(crt key);
sub give { my ($tag) = @_; copy($given{$tag}{full}, $given[0]); copy($given{$tag}{key}, $given[1]); return }
give('first');

sub config {
    my (@more) = @_;
    return join '', <<"CONF", map({"$_\n"} @more), tls_host('own.test', $own), tls_host('managed.test', []), tls_host('given.test', []), "<VirtualHost *:\${port_http}>\n    ServerName managed.test\n</VirtualHost>\n";
Listen 127.0.0.1:\${port_https}
Listen 127.0.0.1:\${port_http}
MDCertificateAuthority @{[$acme->url]}
MDCACertificateFile "@{[$acme->cacert]}"
MDCertificateAgreement accepted
MDContactEmail admin\@own.test
MDRenewViaARI off
MDStoreDir md
MDMessageCmd "\${cgi}/message"
MDRetryDelay 1s
MDCAChallenges http-01
MDPrivateKeys secp256r1
MDomain managed.test
<MDomain given.test>
    MDCertificateFile "$given[0]"
    MDCertificateKeyFile "$given[1]"
</MDomain>
CONF
}
my ($cert, $key) = map {"$md/domains/managed.test/$_.secp256r1.pem"} qw(pubcert privkey);
my $client = SL::Client->new(port => $httpd->port('https'));

sub pem_of { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }
sub served { my ($name) = @_; return pem_of($client->s_client($name || 'managed.test')->{out}) }
sub becomes { my ($file, $name) = @_; my $wanted = pem_of(slurp($file)); return wait_until(sub { served($name) eq $wanted }, 10 * slow()) }

# All is staged when the mark is there.
sub renewal {
    my ($what) = @_;
    ok(wait_until(sub { -e $flag }, 30 * slow()), "$what: mod_md tells its program 'renewed'") or diag $httpd->new_log, $acme->log;
    unlink $flag;
    my %staged = map { $_ => slurp("$md/staging/managed.test/$_.secp256r1.pem") } qw(pubcert privkey);
    like($staged{pubcert}, qr/BEGIN CERTIFICATE/, '... the certificate is staged');
    like($staged{privkey}, qr/BEGIN ENCRYPTED PRIVATE KEY/, '... its key is sealed, with what mod_md alone knows');
    return pem_of($staged{pubcert});
}

# ---- the first certificate ----

$httpd->config(config());
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $staged = renewal('a new domain');
my ($uid) = slurp($messages) =~ /^(\d+) renewed managed\.test$/m;
is($uid, (getpwnam 'www-data')[2], '... whom it runs as httpd\'s user') if $> == 0;
ok(!-e $cert, '... and nothing is where it is served from');
is($httpd->configtest->{status}, 0, 'httpd -t');
ok(!-e $cert, '... moves nothing');
my $r = $client->curl('https://managed.test/', insecure => 1);
is($r->{code}, 503, 'until a restart the stand-in certificate stays, with 503');
$httpd->mark;
ok($httpd->restart, 'a graceful restart');
is(pem_of(slurp($cert)), $staged, '... moves it');
like(slurp($key), qr/BEGIN PRIVATE KEY/, '... with the key opened');
is($client->curl('https://managed.test/', cacert => $acme->root)->{body}, "this is managed.test\n", '... and it serves');
is(served(), $staged, '... as what was staged');

# ---- a renewal ----

$httpd->set_config(config('MDRenewWindow 3000d'));
ok($httpd->restart, 'a restart, after which it is time to renew');
my $renewed = renewal('a renewal');
isnt($renewed, $staged, '... is another certificate');
is(pem_of(slurp($cert)), $staged, '... the old one is where it was');
is(served(), $staged, '... and serves on');
$httpd->set_config(config());
ok($httpd->restart, 'a graceful restart');
like($httpd->new_log, qr/SL0005: 3 virtual hosts speak TLS, with \d different settings and 3 certificates \(1 of them read/, '... reads the one new certificate');
is(served(), $renewed, '... and serves it');
unlike($httpd->new_log, qr/SL015[23]|SL018|AH10085/, '... and complains of nothing');

# ---- by hand, or by another program ----

# As mod_md does it: the whole directory is another.
sub swap {
    my ($pair) = @_;
    my ($live, $next) = map {"$md/$_"} 'domains/managed.test', 'next';
    run(['cp', '-a', $live, $next]);
    copy($pair->{full}, "$next/pubcert.secp256r1.pem");
    copy($pair->{key}, "$next/privkey.secp256r1.pem");
    rename $live, "$md/before" or die $!;
    rename $next, $live or die $!;
    return;
}
$httpd->mark;
swap($by_hand{first});
ok(becomes($by_hand{first}{full}), 'another directory in the place of the managed one: served without a restart') or diag $httpd->new_log;
like($httpd->new_log, qr/SL0150: .*\Q$cert\E was changed/, '... as the log says');
$httpd->mark;
copy($by_hand{second}{full}, $cert);
copy($by_hand{second}{key}, $key);
ok(becomes($by_hand{second}{full}), '... and files rewritten in place, too') or diag $httpd->new_log;
is($client->curl('https://managed.test/')->{body}, "this is managed.test\n", '... the page comes with it');
is(served('given.test'), pem_of(slurp($given{first}{full})), 'MDCertificateFile serves');
give('second');
ok(becomes($given{second}{full}, 'given.test'), '... and so does what is put in its place') or diag $httpd->new_log;
$httpd->stop;
$acme->stop;
done_testing;
