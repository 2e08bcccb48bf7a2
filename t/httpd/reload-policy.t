# SSLVHostSNIPolicy secure compares the certificates that are served: two hosts that share one by copies of its files differ
# once one of the copies is renewed, and are alike again once both are, without a restart.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Conf qw(page);
use SL::Httpd;

plan skip_all => 'with one process there is a keeper too, but no time to wait for it' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs = SL::Certs->new;
my @pair  = map { $certs->server('any.test', type => 'ecdsa', names => ['a.test', 'b.test', 'c.test'], tag => "policy-$_") } 0 .. 2;
my $httpd = SL::Httpd->new(modules => ['http2']);
my $dir   = $httpd->root . '/work';
my $conf  = "Protocols h2 http/1.1\nListen 127.0.0.1:\${port_https}\n";

sub put_pair {
    my ($name, $which) = @_;
    for (['key', $pair[$which]{key}], ['crt', $pair[$which]{full}]) {
        my ($kind, $from) = @$_;
        spew("$dir/$name.$kind.new", slurp($from), 0600);
        rename "$dir/$name.$kind.new", "$dir/$name.$kind" or die "$name: $!";
    }
    return;
}
my %start = ('a.test' => 0, 'b.test' => 0, 'c.test' => 1);
for my $name (sort keys %start) {
    put_pair($name, $start{$name});
    $conf .= "<VirtualHost *:\${port_https}>\n ServerName $name\n DocumentRoot \"\${docs}/$name\"\n SSLEngine on\n"
        . " SSLCertificateFile $dir/$name.crt\n SSLCertificateKeyFile $dir/$name.key\n</VirtualHost>\n";
}
page($httpd, sort keys %start);
$httpd->config($conf);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub renew {
    my ($name, $which) = @_;
    $httpd->mark;
    put_pair($name, $which);
    ok($httpd->wait_for_log(qr{SL0150: the certificate \S+/\Q$name\E\.crt was changed}, 20), "$name is renewed");
    return;
}

# The answers to a request for `host` over a connection to `name`, each new, by both versions of HTTP.
sub over {
    my ($name, $host, $want, $why) = @_;
    for my $http ('1.1', 2) {
        is($client->curl("https://$name/", http => $http, args => ['-k', '-H', "Host: $host"])->{code}, $want, "$why: $host over $name, HTTP/$http");
    }
    return;
}
sub both { my ($one, $other, $want, $why) = @_; over($one, $other, $want, $why); over($other, $one, $want, $why); return }

both('a.test', 'b.test', 200, 'copies of one certificate');
both('a.test', 'c.test', 421, 'another certificate');
my $stream = $client->tls('a.test');
my $ask    = sub { $stream->send("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"); return ($stream->response || {})->{code} };
is($ask->(), 200, 'a connection that stays open: 200');
renew('a.test', 1);
both('a.test', 'b.test', 421, 'one of the copies was renewed');
like($httpd->new_log, qr/AH02032: .* hostname b\.test .* they differ in SSLCertificateFile \(SSLVHostSNIPolicy\)/, '... the log says what differs');
is($ask->(), 421, '... also over the connection from before');
both('a.test', 'c.test', 200, '... to what another host has had from the start');
renew('b.test', 1);
both('a.test', 'b.test', 200, 'the other one as well');
renew('c.test', 2);
both('a.test', 'c.test', 421, 'the third one goes its own way');
renew('a.test', 0);
both('a.test', 'b.test', 421, 'back to the first certificate');
renew('b.test', 0);
both('a.test', 'b.test', 200, '... both');
$httpd->stop;
done_testing;
