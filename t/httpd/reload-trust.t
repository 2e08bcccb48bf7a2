# CA files, directories, CRLs and certificates of OCSP responders that change are believed by new connections without a
# restart: in full handshakes, in resumed ones, and in what clients are told of acceptable CAs. What can't be used leaves
# the ones before in force.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(scratch_dir slow slurp spew wait_until);
BEGIN { $ENV{SL_CERTS} = scratch_dir('sl-reload-certs') }    # somebody gets revoked
use SL::Certs;
use SL::Client;
use SL::Httpd;
use SL::Responder;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs   = SL::Certs->new;
my $one     = $certs->server('one.test', type => 'ecdsa');
my $ann     = $certs->client('reload-ann');
my $bob     = $certs->client('reload-bob', issuer => 'other-ca');
my $crl     = slurp($certs->crl('client-ca'));
my $gone    = $certs->client('reload-gone', revoked => 1);
my $new_crl = slurp($certs->crl('client-ca'));
my %ca      = map { $_ => slurp($certs->ca($_)) } qw(client-ca other-ca ca);
my $asked   = SL::Responder->new(certs => $certs, ca => 'client-ca');
my $carl    = $certs->client('reload-carl', type => 'ecdsa', extensions => 'authorityInfoAccess=OCSP;URI:' . $asked->url . "\n");

my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }

# Readable by root only: children get what is in them from the keeper.
put_file("$dir/ca.pem",  $ca{'client-ca'});
put_file("$dir/ca2.pem", $ca{'client-ca'});
put_file("$dir/crl.pem", $crl);
mkdir "$dir/cas", 0755;
sub into_directory { my ($name) = @_; my $from = $certs->hashed("reload-$name", $certs->ca($name)); spew("$dir/cas/" . s{.*/}{}r, slurp($_), 0644) for glob "$from/*.0"; return }
into_directory('client-ca');

# A hash link keeps its name while what it leads to changes.
mkdir "$dir/crls", 0755;
sub crl_into_directory { my ($tag, $text) = @_; spew("$dir/$tag.crl", $text); my ($from) = glob $certs->hashed("reload-crl-$tag", "$dir/$tag.crl") . '/*.r0'; put_file("$dir/crls/" . $from =~ s{.*/}{}r, $text); return }
crl_into_directory('old', $crl);
put_file("$dir/names.pem",     $ca{'client-ca'});
put_file("$dir/responder.pem", $ca{'client-ca'});
mkdir "$dir/names", 0755;
put_file("$dir/names/a.pem", $ca{'client-ca'});

my $config = '';
for my $host (['file', "SSLCACertificateFile $dir/ca.pem"], ['crl', "SSLCACertificateFile $dir/ca2.pem\n SSLCARevocationFile $dir/crl.pem\n SSLCARevocationCheck chain"],
    ['path', "SSLCACertificatePath $dir/cas"], ['crls', "SSLCACertificateFile $dir/ca2.pem\n SSLCARevocationPath $dir/crls\n SSLCARevocationCheck chain"],
    ['names', "SSLCACertificateFile $dir/ca2.pem\n SSLCADNRequestFile $dir/names.pem"], ['dirnames', "SSLCACertificateFile $dir/ca2.pem\n SSLCADNRequestPath $dir/names"],
    ['ocsp', "SSLCACertificateFile $dir/ca2.pem\n SSLSessionTickets off\n SSLOCSPEnable on\n SSLOCSPResponderCertificateFile $dir/responder.pem"]) {
    my ($name, $more) = @$host;
    $config .= "Listen 127.0.0.1:\${port_$name}\n<VirtualHost *:\${port_$name}>\n ServerName one.test\n SSLEngine on\n SSLVerifyClient require\n"
        . " SSLCertificateFile $one->{cert}\n SSLCertificateKeyFile $one->{key}\n $more\n</VirtualHost>\n";
}
$httpd->config($config);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my %client = map { $_ => SL::Client->new(port => $httpd->port($_)) } qw(file crl path crls names dirnames ocsp);

sub gets_in { my ($host, $who) = @_; return ($client{$host}->curl('https://one.test/', cert => $who)->{code} || 0) == 200 ? 1 : 0 }
sub becomes {
    my ($condition, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_until($condition, 20 * slow()), $name) || diag $httpd->new_log;
}

# ---- CA files ----

ok(gets_in('file', $ann),  'a client of the CA gets in');
ok(!gets_in('file', $bob), '... a stranger does not');
unlike($httpd->error_log, qr/SL0150/, 'nothing has changed so far');
put_file("$dir/ca.pem", $ca{'client-ca'} . $ca{'other-ca'});
becomes(sub { gets_in('file', $bob) }, 'another CA in the file: its clients get in');
ok(gets_in('file', $ann), '... beside those of the first');
like($client{file}->s_client('one.test')->{text}, qr/CN\s*=\s*A Stranger CA/, '... and clients are told of it');
ok($httpd->wait_for_log(qr/SL0150: what client certificates are checked against \(\S+ca\.pem\) was changed, and new connections get it: 2 CA certificates, 0 CRLs/), '... as is the log');
put_file("$dir/ca.pem", $ca{'other-ca'});
becomes(sub { !gets_in('file', $ann) }, 'the first CA goes: its clients stay outside');
ok(gets_in('file', $bob), '... those of the other get in');

$httpd->mark;
put_file("$dir/ca.pem", "no certificate\n");
ok($httpd->wait_for_log(qr/SL0152: what client [^\n]*what was served before serves on: [^\n]*ca\.pem/, 15), 'what holds no CA is refused');
ok(gets_in('file', $bob), '... and the CAs before count on');
put_file("$dir/ca.pem", $ca{'other-ca'});
ok($httpd->wait_for_log(qr/SL0151: what client/), '... until it is repaired');

# ---- CRLs ----

my $session = "$dir/session";
my @as_gone = (args => ['-tls1_2', '-cert', $gone->{cert}, '-key', $gone->{key}, '-sess_out', $session]);
ok(gets_in('crl', $gone), 'a certificate that the CRL does not name gets in');
$client{crl}->s_client('one.test', @as_gone, input => "GET / HTTP/1.0\r\n\r\n");
ok($client{crl}->s_client('one.test', args => ['-tls1_2', '-sess_in', $session])->{resumed}, '... and resumes');
put_file("$dir/crl.pem", $new_crl);
becomes(sub { !gets_in('crl', $gone) }, 'the new CRL names it: it stays outside');
ok(!$client{crl}->s_client('one.test', args => ['-tls1_2', '-sess_in', $session])->{resumed}, '... and resumes no more');
ok(gets_in('crl', $ann), '... others get in');
ok(gets_in('crls', $gone) && gets_in('crls', $ann), 'a directory whose CRL does not name it');
crl_into_directory('new', $new_crl);
becomes(sub { !gets_in('crls', $gone) }, '... and the one that takes its place by the same name');
ok(gets_in('crls', $ann), '... others get in');

# ---- directories ----

ok(gets_in('path', $ann) && !gets_in('path', $bob), 'a directory with one CA');
into_directory('other-ca');
becomes(sub { gets_in('path', $bob) }, '... and with another one');
becomes(sub { $client{path}->s_client('one.test')->{text} =~ /CN\s*=\s*A Stranger CA/ }, '... of which clients are told');

# ---- names that clients are told ----

sub told { my ($host) = @_; return $client{$host}->s_client('one.test')->{text} =~ /Acceptable client certificate CA names\n(.*?)\n(?:Requested|Client)/s ? $1 : '' }
for my $names (['names', 'names.pem'], ['dirnames', 'names/a.pem']) {
    my ($host, $file) = @$names;
    like(told($host), qr/\A\N*SL Test Client CA\z/, "$file: the name of a CA");
    put_file("$dir/$file", $ca{'other-ca'});
    becomes(sub { told($host) =~ /\A\N*A Stranger CA\z/ }, '... and another one');
    ok(gets_in($host, $ann), '... which changes nothing for who gets in');
}

# ---- OCSP responders ----

$asked->mode('stranger');
ok(!gets_in('ocsp', $carl), 'an answer that a stranger signed does not count');
put_file("$dir/responder.pem", $ca{'other-ca'});
becomes(sub { gets_in('ocsp', $carl) }, '... until SSLOCSPResponderCertificateFile names him');
$asked->stop;
ok(gets_in('ocsp', $carl), '... and his answer is kept');
put_file("$dir/responder.pem", $ca{ca});
becomes(sub { !gets_in('ocsp', $carl) }, '... until it no longer names him');
$httpd->mark;
put_file("$dir/responder.pem", "nobody\n");
ok($httpd->wait_for_log(qr/SL0152: what client [^\n]*SSLOCSPResponderCertificateFile: \S+responder\.pem/, 15), 'a file without a certificate is refused');
put_file("$dir/responder.pem", $ca{ca});
ok($httpd->wait_for_log(qr/SL0151: what client/), '... until it is repaired');

# ---- the keeper ----

my $keeper = $httpd->awaited_helper('keeper');
$httpd->mark;
kill 'KILL', $keeper;
becomes(sub { my $new = $httpd->helper('keeper'); $new && $new != $keeper }, 'a keeper that was killed has a successor');
put_file("$dir/ca.pem", $ca{'client-ca'});
becomes(sub { gets_in('file', $ann) && !gets_in('file', $bob) }, '... which takes what is new');
is(() = $httpd->new_log =~ /SL0150/g, 1, '... and only that');
ok($httpd->restart, 'a graceful restart');
ok(gets_in('file', $ann) && !gets_in('file', $bob) && !gets_in('crl', $gone), '... keeps all of it');
$httpd->stop;
done_testing;
