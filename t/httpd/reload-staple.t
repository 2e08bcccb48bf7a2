# A certificate that is renewed while httpd runs gets a stapled answer of its own; the one of its predecessor is never
# stapled to it.
use strict;
use warnings;
use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Httpd;
use SL::Responder;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $ca        = $certs->ca('ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my ($first, $second, $third) = map { $certs->server('one.test', type => 'ecdsa', extensions => $aia, tag => "staple-$_") } 1 .. 3;
my $quiet = $certs->server('one.test', type => 'ecdsa', tag => 'staple-quiet');

my $httpd = SL::Httpd->new;
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
sub install  { my ($pair) = @_; put_file("$dir/one.key", slurp($pair->{key})); put_file("$dir/one.crt", slurp($pair->{full}) . slurp($ca)); return }

install($first);
$httpd->config("Listen 127.0.0.1:\${port_https}\nSSLStaplingErrorCacheTimeout 1\n<VirtualHost *:\${port_https}>\n ServerName one.test\n SSLEngine on\n"
    . " SSLUseStapling on\n SSLCertificateFile $dir/one.crt\n SSLCertificateKeyFile $dir/one.key\n <Location /status>\n  SetHandler securelayer-status\n </Location>\n</VirtualHost>\n");
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'), cacert => $ca);

sub first_pem { my ($text) = @_; return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s ? $1 : 'none' }

# Which certificate is shown, and the serial number that the stapled answer is about.
sub shown {
    my $r = $client->s_client('one.test', args => ['-status']);
    my ($about) = "$r->{out}$r->{text}" =~ /Cert Status: good/ ? "$r->{out}$r->{text}" =~ /Serial Number: (\w+)/ : '';
    return (first_pem($r->{text} =~ s/^.*^Server certificate$//smr), $about);    # before it stands that of the responder
}
sub serial { my ($pair) = @_; my ($serial) = $certs->openssl('x509', '-in', $pair->{cert}, '-noout', '-serial') =~ /=(\w+)/; return $serial }
sub comes {
    my ($pair, $about, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($want, @last) = first_pem(slurp($pair->{cert}));
    return ok(wait_until(sub { @last = shown(); $last[0] eq $want && $last[1] eq $about }, 20 * slow()), $name) || diag "want $about, last: $last[1], the certificate: " . ($last[0] eq $want);
}

comes($first, serial($first), 'the answer about the certificate of the start');
install($second);
comes($second, serial($second), 'a renewed certificate: the answer about it');
$responder->mode('try-later');
install($third);
comes($third, '', 'a responder that does not answer: the certificate without an answer, and not with that of another');
$responder->mode('ok');
comes($third, serial($third), '... until there is one');
install($quiet);
comes($quiet, '', 'one without a responder: nothing is stapled');
install($second);
comes($second, serial($second), '... and one with it again');
my ($courier) = $httpd->awaited_helper('courier');
kill 'KILL', $courier;
ok(wait_until(sub { my $new = $httpd->helper('courier'); $new && $new != $courier }, 20 * slow()), 'another courier');
install($third);
comes($third, serial($third), '... does the same');

# A first certificate that names no responder.
install($quiet);
ok($httpd->restart, 'a graceful restart with a certificate without a responder');
sub state_of { return decode_json($client->curl('https://one.test/status?json')->{body})->{certificates}{list}[0]{staple}{state} }
is(state_of(), 'off', '... nothing is stapled, and nothing awaited');
install($first);
comes($first, serial($first), 'a renewed certificate that names one: the answer about it, without a restart');
is(state_of(), 'good', '... which the status page tells');
$httpd->stop;
done_testing;
